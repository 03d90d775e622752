//! Shares of a limit: hits that are charged before they are used.

use cinnabar_core::features::limit::{Algorithm, How};

use crate::{
    both::Engine,
    limiters::{check, limiter_of},
};

#[test]
fn a_share_is_at_most_an_eighth_of_what_is_left_and_can_be_given_back() {
    Engine::each(|engine| {
        let limiter = limiter_of(Algorithm::FixedWindow(10.0), 100.0);
        let share = |wanted, least| engine.run(limiter.share("p", "id", wanted, least)).unwrap();
        let (first, hits) = share(50.0, 1.0);
        assert_eq!((first.allowed, hits, first.remaining), (true, 12, Some(88)));
        assert_eq!(share(5.0, 1.0).1, 5);
        assert_eq!(share(70.0, 60.0).1, 60);
        // None rather than fewer.
        let (refused, hits) = share(50.0, 24.0);
        assert_eq!((refused.allowed, hits, refused.remaining), (false, 0, Some(23)));
        // Seven of the first were used.
        let charge = first.charge.unwrap();
        assert!(engine.run(limiter.settle("p", "id", &charge, 7.0, None)).unwrap());
        assert!(!engine.run(limiter.settle("p", "id", &charge, 0.0, None)).unwrap());
        assert_eq!(engine.run(limiter.take(&check("p", "id", 0.0), How::Peek, None)).unwrap().remaining, Some(28));
        let left: u64 = std::iter::from_fn(|| Some(share(1.0, 1.0).1).filter(|hits| *hits > 0)).sum();
        assert_eq!(left, 28);
    });
}
