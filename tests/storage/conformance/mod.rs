//! One suite that every backend passes: memory, local files, Ceph RGW, and two stores of the caller's own,
//! of which one cannot keep a content type.
#![cfg(all(feature = "s3", feature = "local"))]

mod direct;
mod keys;
mod lazy;
mod listing;
mod objects;
mod originals;
mod place;
mod uploads;

/// Makes each test once for every backend. The tests of `shared` look at one place through several stores,
/// or put there what no store would write; a memory store's objects are its own alone.
macro_rules! on_every_backend {
    (all { $($module:ident: $($test:ident)+;)+ } shared { $($shared_module:ident: $($shared_test:ident)+;)+ }) => {
        on_every_backend!(@backend memory { $($module: $($test)+;)+ });
        on_every_backend!(@backend local { $($module: $($test)+;)+ $($shared_module: $($shared_test)+;)+ });
        on_every_backend!(@backend ceph { $($module: $($test)+;)+ $($shared_module: $($shared_test)+;)+ });
        on_every_backend!(@backend brought { $($module: $($test)+;)+ $($shared_module: $($shared_test)+;)+ });
        on_every_backend!(@backend brought_files { $($module: $($test)+;)+ $($shared_module: $($shared_test)+;)+ });
    };
    (@backend $backend:ident { $($module:ident: $($test:ident)+;)+ }) => {
        mod $backend {
            $($(
                #[tokio::test]
                async fn $test() {
                    if let Some(place) = crate::conformance::place::Place::$backend().await {
                        crate::conformance::$module::$test(&place).await;
                    }
                }
            )+)+
        }
    };
}

on_every_backend! {
    all {
        uploads:
            answers_with_what_is_stored
            keeps_type_and_cache_control
            takes_the_cache_control_of_the_configuration
            writes_every_variant
            takes_extension_and_type_from_the_bytes
            never_overwrites
            overwrites_where_create_only_is_off
            refuses_what_is_no_image_and_stores_nothing
            goes_on_at_once_for_many_callers;
        objects:
            missing_ones_are_not_found
            are_removed_with_their_variants
            are_removed_by_url
            are_not_removed_by_a_foreign_url
            give_a_range_of_their_bytes
            are_too_large_to_fetch_beyond_the_limit;
        listing:
            of_nothing_is_empty
            tells_what_was_uploaded
            refuses_a_foreign_prefix;
        direct:
            promote_keeps_the_uuid_and_clears_away
            promote_twice_finds_nothing
            promote_at_once_makes_one_image
            promote_and_delete_at_once_leave_all_or_nothing
            promote_refuses_what_is_not_pending
            promote_leaves_what_it_refuses
            promote_refuses_an_empty_object
            promote_lets_no_active_content_through;
        originals:
            are_kept_as_they_came
            are_nobodys_to_see
            are_handed_out_as_attachments
            are_kept_on_request_alone
            go_with_their_image
            come_with_what_is_promoted
            are_taken_back_with_a_failed_upload;
        lazy: many_callers_make_one_variant;
        keys:
            that_would_be_folders_or_lie_below_files_are_not_found
            that_some_backend_could_not_hold_are_refused;
    }
    shared {
        uploads: are_seen_after_a_restart;
        objects:
            keep_what_only_looks_like_a_variant
            lose_variants_of_an_earlier_configuration;
        listing:
            keeps_to_the_prefix
            leaves_pending_uploads_out
            goes_on_beyond_one_page;
        direct:
            status_writes_nothing
            a_form_used_again_brings_nothing_back;
        lazy: two_stores_at_once_answer_with_the_first;
        keys: of_any_characters_go_there_and_back;
    }
}
