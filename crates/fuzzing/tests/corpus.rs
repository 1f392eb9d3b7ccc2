//! Everything a fuzzer has found worth keeping, and every input that once broke something, as a plain test.

use std::path::Path;
use std::time::{Duration, Instant};

use fuzzing::TARGETS;

/// The promise is that nothing hangs; the slowest input takes milliseconds.
const INPUT_TIME_MAX: Duration = Duration::from_secs(1);

#[test]
fn r56_no_input_of_the_corpus_panics_or_hangs() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let mut outcomes = [0, 0];
        for entry in std::fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("the corpus of {name}: {error}")) {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let begun = Instant::now();
            outcomes[usize::from(target(&bytes))] += 1;
            assert!(begun.elapsed() < INPUT_TIME_MAX, "{} took {:?}", path.display(), begun.elapsed());
        }
        let [refused, accepted] = outcomes;
        assert!(refused > 0 && accepted > 0, "the corpus of {name} has both kinds: {accepted} accepted, {refused} refused");
    }
}
