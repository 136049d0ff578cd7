//! Several threads at one store, as in the example `store_stress`, for a short while: every get has
//! the right bytes, the books agree at every pause, and nothing is left.

#[path = "../../examples/store_stress/load.rs"]
mod load;

use mem_spill::testing::FaultyFiles;
use mem_sync::atomic::Ordering;

use crate::support::disk_options;
use load::Load;

#[test]
fn four_threads_put_get_pin_and_remove() {
    let load = Load {
        threads: 4,
        blocks: 2000,
        block_bytes: 600,
        memory: 100_000,
        steps: 1000,
    };
    let files = FaultyFiles::default();
    let report = load.run(disk_options(&files), &|round| round < 4);
    assert_eq!(report.rounds, 5);
    let counts = [
        &report.puts,
        &report.gets,
        &report.from_memory,
        &report.removals,
    ];
    let counts = counts.map(|count| count.load(Ordering::Relaxed));
    assert!(counts.iter().all(|count| *count > 100), "{report:?}");
    assert!(
        report.bytes_to_disk > 0 && report.files_at_most > 0,
        "{report:?}"
    );
    assert_eq!(files.alive(), 0);
}
