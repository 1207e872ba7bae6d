//! The vector sinks: one conformance suite on all of them, and what is particular to each.

#[cfg(feature = "edge")]
mod edge;
mod filter;
mod layout;
#[cfg(feature = "edge")]
mod remote;

use quarry::error::Result;
use quarry::sink::conformance::{CASES, Open};
use quarry::sink::{QdrantSink, VectorSink};

/// One test for each case, so that the failing one is named.
macro_rules! conformance {
    ($check:path: $($case:ident)+) => {
        $(#[test]
        fn $case() {
            $check(stringify!($case));
        })+

        #[test]
        fn every_case_of_the_suite_is_a_test() {
            let here = [$(stringify!($case)),+];
            let there: Vec<_> = super::CASES.iter().map(|case| case.name).collect();
            assert_eq!(here[..], there[..]);
        }
    };
}

macro_rules! suite {
    ($check:path) => {
        conformance! { $check:
            preparing_twice_changes_nothing
            preparing_adds_what_is_missing_and_keeps_the_points
            preparing_refuses_a_vector_that_changed
            a_namespace_without_vectors_holds_documents
            an_unknown_namespace_is_not_found
            what_was_flushed_is_there_after_reopening
            removing_leaves_nothing_behind
            documents_come_back_as_they_were_written
            a_second_write_of_an_id_replaces_the_first
            a_repeated_write_does_not_double
            threads_write_side_by_side
            one_bad_document_keeps_all_out
            the_deepest_payload_comes_back_and_a_deeper_one_is_refused
            writing_nothing_is_fine
            five_thousand_documents_in_one_call_all_arrive
            a_vector_of_zeros_is_stored_and_scores_zero
            pages_come_in_order_and_lose_nothing
            stale_documents_of_the_named_objects_go_and_no_others
            the_documents_of_a_batch_go_and_no_others
            the_named_documents_go_and_no_others
            fields_are_set_and_taken_away_and_the_rest_stays
            counting_follows_the_filter
            every_filter_operator_selects_what_it_says
            filters_nest
            a_search_ranks_by_the_distance
            a_search_heeds_the_filter
            a_sparse_search_ranks_by_the_dot_product
            a_multi_vector_search_ranks_by_the_best_rows
            two_lists_are_fused_by_reciprocal_rank
            equal_scores_come_in_the_order_of_ids
            a_search_with_a_bad_query_is_refused
        }
    };
}

fn check(case: &str, open: Open<'_>) {
    let case = CASES.iter().find(|known| known.name == case).expect("a case of the suite");
    if let Err(failure) = case.run(open) {
        panic!("{failure}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

#[cfg(feature = "edge")]
mod conformance_of_the_embedded_engine {
    use quarry::sink::EdgeSink;

    fn check(case: &str) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        super::check(case, &|| Ok(Box::new(EdgeSink::open(directory.path())?)));
    }

    suite!(check);
}

#[cfg(feature = "edge")]
mod conformance_of_a_server_on_the_loopback {
    use crate::support::qdrant_server::QdrantServer;

    fn check(case: &str) {
        let server = QdrantServer::start();
        let runtime = super::runtime();
        super::check(case, &|| super::connect(server.url(), None, &runtime));
    }

    suite!(check);
}

/// Runs where `QDRANT_URL` (and `QDRANT_API_KEY`) name a real server.
mod conformance_of_the_server_at_qdrant_url {
    fn check(case: &str) {
        let Ok(url) = std::env::var("QDRANT_URL") else {
            eprintln!("skipped: QDRANT_URL names no server");
            return;
        };
        let api_key = std::env::var("QDRANT_API_KEY").ok();
        let runtime = super::runtime();
        super::check(case, &|| super::connect(&url, api_key.clone(), &runtime));
    }

    suite!(check);
}

fn connect(
    url: &str,
    api_key: Option<String>,
    runtime: &tokio::runtime::Runtime,
) -> Result<Box<dyn VectorSink>> {
    let sink = QdrantSink::connect(url, api_key, runtime.handle().clone())?;
    Ok(Box::new(sink.with_prefix("quarry_test_")))
}
