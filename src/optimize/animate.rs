//! Animations: every frame goes the way of a picture, and all of them into one file.

use crate::format::ImageFormat;

use super::codec::{Animator, codec};
use super::color::{ColorTag, Converter};
use super::geometry::Plan;
use super::pipeline::{Job, Taking};
use super::raster::{Component, Frame, Layout, Pixels};
use super::{OptimizeError, OptimizeOptions, OptimizedImage};

/// Frames that are shown for no longer are shown for `SHORTEST`, as browsers do.
const TOO_SHORT: u32 = 10;
const SHORTEST: u32 = 100;

/// An animation in the making.
struct Output<'a> {
    index: usize,
    options: &'a OptimizeOptions,
    plan: Plan,
    animator: Animator<'a>,
}

/// Makes animated WebP of each of these options, and gives it with their number.
pub(super) fn make<'a>(
    job: &mut Job<'a>,
    color: &ColorTag,
    wanted: &[(usize, &'a OptimizeOptions)],
) -> Result<Vec<(usize, OptimizedImage)>, OptimizeError> {
    let (budget, plays) = (job.budget, job.source.file.facts().plays);
    let facts = job.source.file.facts();
    let (width, height) = job.upright.size(facts.width, facts.height);
    let mut outputs = Vec::new();
    for &(index, options) in wanted {
        let plan = job.plan(width, height, options)?;
        let size = plan.size();
        // What the encoder keeps of the frames before, and the frame.
        budget.check_memory(5 * u64::from(size.0) * u64::from(size.1) * 4)?;
        let animator = Animator::new(size, plays, options, budget)?;
        outputs.push(Output {
            index,
            options,
            plan,
            animator,
        });
    }
    let (source, webp) = (job.source, codec(ImageFormat::WebP));
    let mut shown = 0;
    source.file.play(budget, &mut |raster, milliseconds| {
        budget.check_time()?;
        if shown == 0 {
            // A later frame may have the transparent parts that the first one has not.
            job.opaque = false;
            job.converter = Converter::new(color, Layout::Rgba);
        }
        shown += 1;
        job.pixels = Pixels::Packed(Component::whole(raster));
        for output in &mut outputs {
            let frame = job.frame(&output.plan, Taking::default())?;
            let frame = job.finish(frame, &output.plan, &webp, output.options);
            let Frame::Packed(raster) = frame else {
                return Err(OptimizeError::invalid("a frame of an animation in planes"));
            };
            let is_short = milliseconds <= TOO_SHORT;
            let time = if is_short { SHORTEST } else { milliseconds };
            output.animator.add(&raster.data, time)?;
        }
        Ok(())
    })?;
    if shown == 0 {
        // It says that it is an animation and has no frames, which browsers show as a still image.
        let stills = wanted.iter();
        return stills
            .map(|&(index, options)| Ok((index, job.make(options, false)?)))
            .collect();
    }
    let finished = outputs.into_iter().map(|output| {
        let exif = job.exif(output.options);
        let mut data = output.animator.finish(exif.as_deref())?;
        budget.check_time()?;
        if source.format == ImageFormat::WebP
            && output.plan.is_identity(width, height)
            && job.is_keepable()
            && let Some(kept) =
                (source.file).strip_animation(exif.as_deref(), data.len(), budget)?
        {
            data = kept;
        }
        let mut image = job.result(data, ImageFormat::WebP, &output.plan)?;
        image.source.frames_dropped = 0;
        Ok((output.index, image))
    });
    finished.collect()
}
