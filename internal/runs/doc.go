// Package runs is the one read and write side of runs over Temporal. The command line and the inbox both use it, and
// nothing else of theirs knows how a run is kept.
//
// A run is one of four kinds. Kinds is the table of them: workflow type, lane, nouns, how the memo is read, which
// signals steer it, and what its result is. Whoever adds a kind adds a row.
//
//	Conversion  ConvertFile   one file to one format
//	Goal        RunGoal       a multi-step job that asks questions
//	Batch       ConvertBatch  many files as one run; asks what people have to fix
//	Watch       WatchFolder   goes on until it is cancelled; each of its waves is a batch
//
// Client is everything that can be done:
//
//	List, Waiting          runs as lists show them (Run), from the visibility store, which follows within moments
//	Describe, BegunAt      one run as it is now, with the step that it is at (Description)
//	Look, Troubles,        why runs do not come on, their children included (Trouble)
//	Survey
//	Result                 waits for the end of a run (End)
//	Questions, Answers,    asked of the run itself; they need a worker, and NoWorker tells an error for want of one
//	Status, Progress,
//	Failures, WatchProgress
//	Start, Input, Cancel   begin a run, read what it was begun with, end it
//	Answer, Steer          the only two ways to change a run
//	Schedules, Schedule,   batches that Temporal starts by the clock
//	CreateSchedule, ...
//
// Errors that callers decide on are ErrNoSuchRun, ErrEnded, ErrNoVerdict, ErrAlreadyDone, ErrNoSuchSchedule and
// RefusedError; every other error is Temporal's or the network's. A Client holds no state and may be used by several
// goroutines. Package runstest is a Temporal in memory to test against.
package runs
