//! Ctrl-C: what is under way is finished or taken back. A second one stops at once.

use tokio::sync::watch;

use super::output::Output;

/// The exit code of what Ctrl-C ended, as shells have it: 128 and the signal's number.
pub(super) const EXIT_CODE: u8 = 130;

/// Tells whether Ctrl-C was pressed. Once it exists, the first Ctrl-C no longer ends the process.
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Says `words` when Ctrl-C comes.
    pub(super) fn listen(output: Output, words: &'static str) -> Self {
        let (pressed, receiver) = watch::channel(false);
        // A thread of its own: the commands' may be busy with files or pixels.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                if tokio::signal::ctrl_c().await.is_err() {
                    return;
                }
                output.note(format_args!("{words}; Ctrl-C again stops at once"));
                let _ = pressed.send(true);
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(EXIT_CODE.into());
                }
            });
        });
        Self(receiver)
    }

    pub(super) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when Ctrl-C is pressed.
    pub(super) async fn pressed(&mut self) {
        if self.0.wait_for(|pressed| *pressed).await.is_err() {
            // It cannot be heard of here.
            std::future::pending::<()>().await;
        }
    }
}
