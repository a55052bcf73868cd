package dynamo

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

const (
	seenAttr  = "seen" // Unix milliseconds
	pathAttr  = "path"
	runAttr   = "run"   // id of the run that locks a path
	takenAttr = "taken" // of a run: a process requests
)

// SeenCrons returns up to when the runs of a project's crons are accounted for. It starts with now for
// crons that are new, and forgets those that are not among crons. Durable on return; NotFound when there
// is something to store and the project does not exist.
func (s *Store) SeenCrons(ctx context.Context, p anchor.ProjectID, crons []anchor.Cron, now time.Time) (map[anchor.Cron]time.Time, error) {
	for {
		seen, err := s.readSeenCrons(ctx, p)
		if err != nil {
			return nil, err
		}
		changes := s.cronChanges(p, seen, crons, now)
		if len(changes) == 0 {
			return seen, nil
		}
		// A transaction has 100 items at most, the project's condition among them. Each part makes the next
		// attempt shorter.
		some := changes[:min(len(changes), maxBatchGet-1)]
		if err := s.writeTransaction(ctx, "note the crons of a project", append(some, s.ownerCondition(p))...); err != nil && !errors.Is(err, errMovedOn) {
			return nil, err
		}
	}
}

func (s *Store) cronChanges(p anchor.ProjectID, seen map[anchor.Cron]time.Time, crons []anchor.Cron, now time.Time) []change {
	var changes []change
	wanted := map[anchor.Cron]bool{}
	for _, c := range crons {
		wanted[c] = true
		if _, known := seen[c]; known {
			continue
		}
		rec, err := encodeRecord(c)
		if err != nil {
			panic(err) // two texts always have a form
		}
		changes = append(changes, change{
			at: s.t.cronKey(p, c), put: item{recordAttr: rec, seenAttr: numberValue(now.UnixMilli())},
			when: notThere, refused: refuseWith(errMovedOn),
		})
	}
	for c := range seen {
		if !wanted[c] {
			changes = append(changes, change{at: s.t.cronKey(p, c), delete: true})
		}
	}
	return changes
}

func (s *Store) readSeenCrons(ctx context.Context, p anchor.ProjectID) (map[anchor.Cron]time.Time, error) {
	items, err := s.queryAll(ctx, "read the crons", withPrefix(s.t.Projects, ofProject(p), cronPrefix))
	seen := make(map[anchor.Cron]time.Time, len(items))
	for _, it := range items {
		c, err := decodeRecord[anchor.Cron](it)
		if err != nil {
			return nil, err
		}
		seen[c] = time.UnixMilli(numOf(it, seenAttr)).UTC()
	}
	return seen, err
}

// ClaimCron accounts for the runs of a cron that were due after from and not after until, and adds runs
// for them, in one transaction, durable on return. ok is false, and nothing has changed, when another
// call has accounted for them, or the cron is forgotten.
func (s *Store) ClaimCron(ctx context.Context, p anchor.ProjectID, c anchor.Cron, from, until time.Time, runs ...anchor.CronRun) (ok bool, err error) {
	changes := []change{{
		at: s.t.cronKey(p, c), set: item{seenAttr: numberValue(until.UnixMilli())},
		when: isThere + " AND #seen = :from", values: item{":from": numberValue(from.UnixMilli())}, refused: refuseWith(errMovedOn),
	}, s.ownerCondition(p)}
	for _, r := range runs {
		add, err := s.addRun(r)
		if err != nil {
			return false, err
		}
		changes = append(changes, add)
	}
	err = s.writeTransaction(ctx, "claim a run of a cron", changes...)
	if errors.Is(err, errMovedOn) {
		return false, nil
	}
	return err == nil, err
}

// AddCronRun adds a run that somebody asked for, durable on return; NotFound when the project does not
// exist.
func (s *Store) AddCronRun(ctx context.Context, r anchor.CronRun) error {
	add, err := s.addRun(r)
	if err != nil {
		return err
	}
	return s.writeTransaction(ctx, "record a run of a cron", add, s.ownerCondition(r.ProjectID))
}

func (s *Store) addRun(r anchor.CronRun) (change, error) {
	rec, err := encodeRecord(r)
	return change{at: s.t.cronRunKey(r.ProjectID, r.ID), put: item{recordAttr: rec}}, err
}

// EndCronRun writes how a run has ended, durable on return. It does nothing when the run is not kept.
func (s *Store) EndCronRun(ctx context.Context, r anchor.CronRun) error {
	rec, err := encodeRecord(r)
	if err != nil {
		return err
	}
	return ignoreMoved(s.writeTransaction(ctx, "record the end of a cron's run", change{
		at: s.t.cronRunKey(r.ProjectID, r.ID), set: item{recordAttr: rec}, when: isThere, refused: refuseWith(errMovedOn),
	}))
}

// TakeCronRun returns a run that Start of package crons recorded, for the one process that continues it.
// ok is false when another one does, the run has ended or is not kept.
func (s *Store) TakeCronRun(ctx context.Context, p anchor.ProjectID, id string) (r anchor.CronRun, ok bool, err error) {
	it, err := s.getItem(ctx, "read a run of a cron", s.t.cronRunKey(p, id))
	if err != nil || it == nil {
		return r, false, err
	}
	if r, err = decodeRecord[anchor.CronRun](it); err != nil || r.Status != anchor.CronRunning {
		return r, false, err
	}
	err = s.writeTransaction(ctx, "take a run of a cron", change{
		at: s.t.cronRunKey(p, id), set: item{takenAttr: &types.AttributeValueMemberBOOL{Value: true}},
		when: isThere + " AND attribute_not_exists(#taken)", refused: refuseWith(errMovedOn),
	})
	return r, err == nil, ignoreMoved(err)
}

// CronRuns returns the newest runs of a project, newest first; path "" selects those of all paths.
func (s *Store) CronRuns(ctx context.Context, p anchor.ProjectID, path string, limit int) ([]anchor.CronRun, error) {
	found := []anchor.CronRun{}
	err := s.eachRun(ctx, p, func(r anchor.CronRun, _ address) bool {
		if path == "" || r.Path == path {
			found = append(found, r)
		}
		return len(found) < limit
	})
	return found, err
}

// KeptCronRuns is how many runs of a project are kept.
const KeptCronRuns = 1000

// PruneCronRuns deletes the runs of a project beyond the newest KeptCronRuns.
func (s *Store) PruneCronRuns(ctx context.Context, p anchor.ProjectID) error {
	var old []types.WriteRequest
	n := 0
	err := s.eachRun(ctx, p, func(r anchor.CronRun, at address) bool {
		if n++; n > KeptCronRuns && r.Status != anchor.CronRunning {
			old = append(old, deleteRequest(at.keyItem()))
		}
		return true
	})
	if err != nil {
		return err
	}
	return s.writeBatches(ctx, "delete old runs of crons", s.t.Projects, old)
}

// runsAtOnce is how many runs one query reads.
const runsAtOnce = 200

// eachRun calls do with the runs of a project, newest first, until it returns false.
func (s *Store) eachRun(ctx context.Context, p anchor.ProjectID, do func(anchor.CronRun, address) bool) error {
	q := withPrefix(s.t.Projects, ofProject(p), cronRunPrefix)
	for q.newest, q.limit = true, runsAtOnce; ; {
		items, err := s.queryAll(ctx, "list the runs of crons", q)
		if err != nil {
			return err
		}
		for _, it := range items {
			r, err := decodeRecord[anchor.CronRun](it)
			if err != nil {
				return err
			}
			if !do(r, s.t.cronRunKey(p, r.ID)) {
				return nil
			}
			q.to = cronRunPrefix + r.ID[:len(r.ID)-1] + string(r.ID[len(r.ID)-1]-1) // BETWEEN has no open end
		}
		if len(items) < runsAtOnce {
			return nil
		}
	}
}

// PauseCron pauses a path, or lets it run again, durable on return; NotFound when the project does not
// exist.
func (s *Store) PauseCron(ctx context.Context, p anchor.ProjectID, path string, paused bool) error {
	pause := change{at: s.t.cronPauseKey(p, path), delete: true}
	if paused {
		pause = change{at: s.t.cronPauseKey(p, path), put: item{pathAttr: stringValue(path)}}
	}
	return s.writeTransaction(ctx, "pause a cron", pause, s.ownerCondition(p))
}

// PausedCrons returns the paused paths of a project.
func (s *Store) PausedCrons(ctx context.Context, p anchor.ProjectID) ([]string, error) {
	items, err := s.queryAll(ctx, "list the paused crons", withPrefix(s.t.Projects, ofProject(p), cronPausePrefix))
	paths := make([]string, 0, len(items))
	for _, it := range items {
		paths = append(paths, strOf(it, pathAttr))
	}
	slices.Sort(paths)
	return paths, err
}

// LockCron reserves the path of a run until a time, durable on return. ok is false while another run has
// it. A lock that has expired is taken over.
func (s *Store) LockCron(ctx context.Context, r anchor.CronRun, until time.Time) (ok bool, err error) {
	err = s.writeTransaction(ctx, "lock a cron", change{
		at: s.t.cronLockKey(r.ProjectID, r.Path), put: item{runAttr: stringValue(r.ID), untilAttr: numberValue(until.UnixMilli())},
		when: notThere + " OR #until < :now", values: item{":now": numberValue(s.now().UnixMilli())}, refused: refuseWith(errMovedOn),
	}, s.ownerCondition(r.ProjectID))
	return err == nil, ignoreMoved(err)
}

// UnlockCron is the reverse of LockCron. It does nothing when another run has the path.
func (s *Store) UnlockCron(ctx context.Context, r anchor.CronRun) error {
	return ignoreMoved(s.writeTransaction(ctx, "unlock a cron", change{
		at: s.t.cronLockKey(r.ProjectID, r.Path), delete: true, when: "#run = :run", values: item{":run": stringValue(r.ID)},
		refused: refuseWith(errMovedOn),
	}))
}

func ignoreMoved(err error) error {
	if errors.Is(err, errMovedOn) {
		return nil
	}
	return err
}

// PutCronFunctions stores which functions of a deployment answer the paths of its crons, durable on
// return. Deleting the deployment deletes it.
func (s *Store) PutCronFunctions(ctx context.Context, id anchor.DeploymentID, functions map[string]string) error {
	rec, err := encodeRecord(functions)
	if err != nil {
		return err
	}
	return s.writeTransaction(ctx, "note the functions of crons",
		change{at: s.t.recordKey(id), when: isThere, refused: refuseWith(records.NoDeployment(id))},
		change{at: s.t.cronFunctionsKey(id), put: item{recordAttr: rec}},
	)
}

// CronFunctions returns what PutCronFunctions stored, nil when it stored nothing.
func (s *Store) CronFunctions(ctx context.Context, id anchor.DeploymentID) (map[string]string, error) {
	it, err := s.getItem(ctx, "read the functions of crons", s.t.cronFunctionsKey(id))
	if err != nil || it == nil {
		return nil, err
	}
	return decodeRecord[map[string]string](it)
}
