//! Files that are not what they were.

use testkit::promise::Promise;
use testkit::server::Plan;

use super::back_up;
use super::place::Place;
use crate::support::{BINARY, simulated_adyen};

#[tokio::test]
async fn r22_a_damaged_backup_is_found_wherever_the_damage_is() {
    let promise = Promise::new("R22");
    let mut random = promise.random();
    let count = promise.count(12, 500);
    let server = Plan::sqlite(BINARY).start().await;
    simulated_adyen(&server, "adyen-card").await;
    let good = std::fs::read(back_up(&server, "backup").await).unwrap();
    let place = Place::on_each_engine().await.remove(0);
    place.adopt(&server.plan);
    let config = place.file("tollhouse.toml").display().to_string();
    let damaged = place.file("damaged").display().to_string();
    let verify = async |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        place.run_alone(&["backup", "verify", &damaged, "--config", &config]).await
    };
    let sound = verify(&good).await;
    assert!(sound.code == 0 && sound.words.contains("everything sealed opens"), "{sound:?}");
    let length = u64::try_from(good.len()).unwrap();
    for number in 0..count {
        let place = usize::try_from(random.below(length)).unwrap();
        let mut bytes = good.clone();
        let what = if number % 4 == 3 {
            bytes.truncate(place);
            format!("cut off at {place}")
        } else {
            bytes[place] ^= 1 << random.below(8);
            format!("a bit at {place}")
        };
        let found = verify(&bytes).await;
        assert!(found.code == 1 && !found.out.is_empty(), "{what}: {found:?}");
    }
    // Damage is not restored.
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let refused = place.run(&["backup", "restore", &damaged]).await;
    assert!(refused.code == 1 && refused.words.contains("checksum"), "{refused:?}");
    assert!(!place.file("tollhouse.db").exists(), "nothing was begun");
    let absent = place.run_alone(&["backup", "verify", "nowhere"]).await;
    assert!(absent.code == 2 && absent.words.contains("nowhere"), "{absent:?}");
    server.end().await;
    promise.kept(count, "measured damages found, all");
}
