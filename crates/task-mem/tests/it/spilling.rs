//! Victims: who is asked, and what if they do not do as they should.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use mem_pool::Event;
use task_mem::{
    ConsumerId, ConsumerOptions, Failure, MemoryError, NoSpill, Spill, SpillError, Spillable, Wait,
    raw,
};

use crate::support::{Answer, Kind, LimitedManager, Recorder, TestConsumer, task};

#[test]
fn a_victim_that_gives_nothing_is_asked_once() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let stubborn = TestConsumer::new(&task, Kind::Nothing);
    let giving = TestConsumer::new(&task, Kind::Partial);
    let requester = TestConsumer::new(&task, Kind::All);
    stubborn.acquire(40).unwrap();
    giving.acquire(60).unwrap();
    assert_eq!(requester.acquire(30).unwrap(), 30);
    assert_eq!((stubborn.asked(), giving.asked()), (vec![30], vec![30]));
    assert_eq!((stubborn.used(), giving.used()), (40, 30));
}

#[test]
fn a_victim_that_gives_more_gains_the_requester_no_more_than_it_asked_for() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let victim = TestConsumer::new(&task, Kind::All);
    let requester = TestConsumer::new(&task, Kind::All);
    victim.acquire(100).unwrap();
    assert_eq!(requester.acquire(30).unwrap(), 30);
    assert_eq!((victim.used(), task.memory_consumption()), (0, 30));
}

#[test]
fn a_victim_is_asked_again_until_it_gives_nothing() {
    let manager = LimitedManager::new(100);
    let task = task(&manager.as_manager(), 0);
    let victim = TestConsumer::new(&task, Kind::Partial);
    let requester = TestConsumer::new(&task, Kind::Nothing);
    victim.acquire(100).unwrap();
    // The first answer is nothing, and so are those after the first two spills.
    manager.answer([Answer::Nothing; 3]);
    assert_eq!(requester.acquire(40).unwrap(), 40);
    assert_eq!(victim.asked(), [40, 40, 40]);
    assert_eq!((victim.used(), requester.used()), (0, 40));
}

#[test]
fn a_victim_that_lies_is_not_asked_for_ever() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let liar = TestConsumer::new(&task, Kind::Liar);
    let requester = TestConsumer::new(&task, Kind::Liar);
    liar.acquire(100).unwrap();
    assert_eq!(requester.acquire(40).unwrap(), 0);
    assert_eq!(liar.asked(), [40]);
}

/// Bytes that a failing request was granted before: given back by the guards' calls, left with the
/// task by Spark's.
fn granted_before_failure(kind: Kind) -> (MemoryError, u64) {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let victim = TestConsumer::new(&task, kind);
    let requester = TestConsumer::new(&task, Kind::All);
    victim.acquire(60).expect("it is free");
    let error = requester.acquire(70).expect_err("the victim fails");
    assert_eq!(error.kept().map(mem_pool::Reservation::bytes), Some(40));
    assert_eq!((requester.used(), task.memory_consumption()), (0, 100));
    drop(error);
    assert_eq!(task.memory_consumption(), 60);

    let wait = Wait::default();
    let failure = raw::acquire_memory(&requester.handle, 70, &mut NoSpill, &wait);
    let failure = failure.expect_err("the victim fails");
    let raw::RawError::Memory(error) = failure else {
        panic!("{failure}")
    };
    assert!(error.kept().is_none(), "it is the task's now");
    let end = task.cleanup();
    let left = end.taken_back - 60;
    (error, left)
}

#[test]
fn a_full_disk_names_the_culprit() {
    let (error, left) = granted_before_failure(Kind::DiskFull);
    let Failure::SpillFailed {
        culprit,
        error: disk,
    } = error.failure()
    else {
        panic!("{error}")
    };
    assert_eq!((&*culprit.name, culprit.id.get()), ("test", 1));
    assert_eq!(disk.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(error.remedy(), Some("hearth.spill.dirs"));
    assert_eq!(left, 40);
}

#[test]
fn a_kill_is_not_a_lack_of_memory() {
    let (error, left) = granted_before_failure(Kind::Killed);
    assert!(matches!(error.failure(), Failure::Killed { .. }), "{error}");
    assert_eq!((error.remedy(), left), (None, 40));
}

#[test]
fn another_error_passes_as_it_is() {
    let (error, left) = granted_before_failure(Kind::Confused);
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!((source.as_deref(), left), (Some("confused"), 40));
}

#[test]
fn a_requester_that_fails_to_spill_itself_is_the_culprit() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let requester = TestConsumer::new(&task, Kind::DiskFull);
    assert_eq!(requester.acquire(80).unwrap(), 80);
    let error = requester.acquire(30).unwrap_err();
    let Failure::SpillFailed { culprit, .. } = error.failure() else {
        panic!("{error}")
    };
    assert_eq!(culprit.id, requester.handle.id());
}

#[test]
fn only_those_that_declared_it_spill_for_others() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let own = task.register(ConsumerOptions::named("own"));
    let never = task.register(ConsumerOptions {
        spill: Spillable::Never,
        ..ConsumerOptions::named("never")
    });
    let wait = Wait::default();
    let of_own = own.acquire(50, &mut NoSpill, &wait).unwrap();
    let _of_never = never.acquire(50, &mut NoSpill, &wait).unwrap();

    let mut asked = 0;
    let mut never_asked = |_need: u64| {
        asked += 1;
        Ok(0)
    };
    assert_eq!(
        never.acquire(10, &mut never_asked, &wait).unwrap().bytes(),
        0
    );
    assert_eq!(asked, 0);

    let mut given = Some(of_own);
    let mut give = |_need: u64| Ok(given.take().map_or(0, |held| held.bytes()));
    assert_eq!(own.acquire(20, &mut give, &wait).unwrap().bytes(), 20);
    assert!(given.is_none());
}

/// As in Spark: it is known to the manager only once it has asked.
#[test]
fn a_requester_is_not_asked_for_its_first_request() {
    let manager = LimitedManager::new(100);
    let task = task(&manager.as_manager(), 0);
    let requester = TestConsumer::new(&task, Kind::All);
    manager.set_limit(0);
    assert_eq!(requester.acquire(10).unwrap(), 0);
    assert_eq!(requester.asked(), []);
    manager.set_limit(10);
    assert_eq!(requester.acquire(10).unwrap(), 10);
    assert_eq!(requester.acquire(10).unwrap(), 10);
    assert_eq!(requester.asked(), [10]);
}

#[test]
fn a_consumer_that_has_gone_is_nobodys_victim() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let leaving = TestConsumer::new(&task, Kind::All);
    leaving.acquire(60).unwrap();
    let left_behind = leaving.take_held();
    drop(leaving);
    let requester = TestConsumer::new(&task, Kind::All);
    assert_eq!(requester.acquire(100).unwrap(), 40);
    drop(left_behind);
    assert_eq!(requester.acquire(60).unwrap(), 60);
}

#[test]
fn spills_are_observed() {
    let recorder = Arc::new(Recorder::default());
    let manager = LimitedManager::with_probe(100, Some(Arc::clone(&recorder) as _));
    let task = task(&manager.as_manager(), 9);
    let victim = TestConsumer::new(&task, Kind::Partial);
    let requester = TestConsumer::new(&task, Kind::All);
    victim.acquire(100).unwrap();
    requester.acquire(30).unwrap();
    let id = victim.handle.id().get();
    let spill = Event::Spill {
        task: task.task(),
        consumer: id,
        asked: 30,
        released: 30,
    };
    assert_eq!(recorder.take(), [spill]);
}

struct Panics;

impl Spill for Panics {
    fn spill(&self, _need: u64, _trigger: ConsumerId) -> Result<u64, SpillError> {
        panic!("on purpose")
    }
}

#[test]
fn a_spill_that_panics_leaves_nothing_marked() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let panics: Arc<Panics> = Arc::new(Panics);
    let weak: Weak<Panics> = Arc::downgrade(&panics);
    let victim = task.register(ConsumerOptions {
        spill: Spillable::ByAnyone(weak),
        ..ConsumerOptions::named("panics")
    });
    let held = victim.acquire(100, &mut NoSpill, &Wait::default()).unwrap();
    let requester = TestConsumer::new(&task, Kind::All);
    for _ in 0..2 {
        // It is asked the second time, too.
        let result = catch_unwind(AssertUnwindSafe(|| requester.acquire(10)));
        assert!(result.is_err());
    }
    // Its own requests are not taken for requests from inside its spill.
    assert!(victim.acquire(1, &mut NoSpill, &Wait::default()).is_ok());
    drop(held);
    assert_eq!(requester.acquire(10).unwrap(), 10);
    assert_eq!(task.memory_consumption(), 10);
}
