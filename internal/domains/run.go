package domains

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// every is how often Run looks for due names that nobody woke it for.
const every = 5 * time.Second

// Run is the reconciler: it works on due names, several at a time and each for
// itself, until ctx ends, and returns when no work is under way.
func (s *Service) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, s.parallel())
	for {
		s.start(ctx, slots, &work)
		select {
		case <-ctx.Done():
			return
		case <-s.kicked:
		case <-time.After(every):
		}
	}
}

func (s *Service) parallel() int { return cmp.Or(max(s.Parallel, 0), 16) }

// start gives every free slot a due name. A name leaves the due ones as soon as
// its look has claimed it, so one that takes long keeps one slot and no more.
func (s *Service) start(ctx context.Context, slots chan struct{}, work *sync.WaitGroup) {
	for _, h := range s.due(ctx, cap(slots)) {
		select {
		case slots <- struct{}{}:
		default:
			return
		}
		work.Go(func() {
			did := s.look(ctx, h.ID)
			<-slots
			if did { // else it is due still, and the store is left in peace for a while
				s.wake()
			}
		})
	}
}

// due gives at most limit due names that nobody is working on.
func (s *Service) due(ctx context.Context, limit int) (free []anchor.Hostname) {
	found, err := s.Directory.DueHostnames(ctx, s.now().UnixMilli(), 2*limit)
	if err != nil && ctx.Err() == nil {
		s.log().Warn("find the domains that are due", "error", err)
	}
	for _, h := range found {
		if len(free) < limit && !s.lanes.busy(h.ID) {
			free = append(free, h)
		}
	}
	return free
}

// Reconcile is one round of Run, for where nothing runs all the time (AWS Lambda
// on a schedule): it returns when nothing is due any more or ctx ends.
func (s *Service) Reconcile(ctx context.Context) {
	for progress := true; progress && ctx.Err() == nil; {
		progress = false
		var round sync.WaitGroup
		var mu sync.Mutex
		for _, h := range s.due(ctx, s.parallel()) {
			round.Go(func() {
				did := s.look(ctx, h.ID)
				mu.Lock()
				defer mu.Unlock()
				progress = progress || did
			})
		}
		round.Wait()
	}
}

// Restore tells the edge of all attached names. It is called at the start of the
// one process that has the edge in it, before the edge serves and before Run. A
// name that fails is left to Run.
func (s *Service) Restore(ctx context.Context) error {
	all, err := s.ofProject(ctx, "")
	if err != nil {
		return err
	}
	for _, h := range all {
		if err := s.restore(ctx, h); err != nil && !errors.Is(err, errChanged) && !errors.Is(err, errGone) {
			return err
		}
	}
	return nil
}

func (s *Service) restore(ctx context.Context, h anchor.Hostname) error {
	atOnce := claimed(h) // by a process that is no more
	attached := h.CloudFrontStatus == anchor.EdgeDeployed
	if h.Status != anchor.HostRemoving && attached {
		if err := s.Front.Attach(ctx, h); err != nil {
			s.log().Warn("attach a domain", "domain", h.Name, "error", err)
			atOnce = true
		}
		atOnce = atOnce || s.uncertified(ctx, h)
	}
	if !atOnce {
		return ctx.Err()
	}
	h.NextCheck = s.now().UnixMilli()
	_, err := s.save(ctx, h)
	return err
}

// uncertified reports whether a name that was served has no certificate any more:
// it was another CA's, or did not come along with the records. The next planned look
// may be half a day off.
func (s *Service) uncertified(ctx context.Context, h anchor.Hostname) bool {
	if h.OwnCert {
		return false
	}
	cert, err := s.Certificates.Ensure(ctx, h)
	return err != nil || cert.Status != anchor.CertIssued
}

// hasten makes the name due now, unless it is being worked on or just was.
func (s *Service) hasten(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	now := s.now().UnixMilli()
	if s.lanes.busy(h.ID) || now-h.CheckedAt < firstPoll.Milliseconds() {
		return h, nil
	}
	h.NextCheck, h.Attempts = now, 0
	stored, err := s.save(ctx, h)
	switch {
	case errors.Is(err, errChanged):
		return s.Directory.Hostname(ctx, h.ID) // somebody works on it
	case err != nil:
		return h, err
	}
	s.wake()
	return stored, nil
}
