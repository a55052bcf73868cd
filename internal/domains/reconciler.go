package domains

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// every is how often Run looks for due names without being woken. Retries are in the records: a
// name that failed is due later.
const every = 5 * time.Second

// Run is the reconciler: it works on due names, several at a time and each for
// itself, until ctx ends, and returns when no work is under way.
func (s *Service) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, s.parallelChecks())
	for {
		s.startChecks(ctx, slots, &work)
		select {
		case <-ctx.Done():
			return
		case <-s.kicked:
		case <-time.After(every):
		}
	}
}

func (s *Service) parallelChecks() int { return cmp.Or(max(s.Parallel, 0), 16) }

// startChecks starts a check of a due name in every free slot. A claimed name is no longer due, so
// one that takes long keeps one slot only.
func (s *Service) startChecks(ctx context.Context, slots chan struct{}, work *sync.WaitGroup) {
	for _, h := range s.listDue(ctx, cap(slots)) {
		select {
		case slots <- struct{}{}:
		default:
			return
		}
		work.Go(func() {
			did := s.reconcileDomain(ctx, h.ID)
			<-slots
			if did { // otherwise it is still due, and the next look is later
				s.wakeReconciler()
			}
		})
	}
}

// listDue returns at most limit due names that no check is running for.
func (s *Service) listDue(ctx context.Context, limit int) (free []anchor.Hostname) {
	found, err := s.Directory.DueHostnames(ctx, s.now().UnixMilli(), 2*limit)
	if err != nil && ctx.Err() == nil {
		s.log().Warn("find the domains that are due", "error", err)
	}
	for _, h := range found {
		if len(free) < limit && !s.lanes.isBusy(h.ID) {
			free = append(free, h)
		}
	}
	return free
}

// Reconcile is one round of Run, for a platform that runs nothing all the time and calls it on a
// schedule. It returns when nothing is due any more or ctx ends.
func (s *Service) Reconcile(ctx context.Context) {
	for progress := true; progress && ctx.Err() == nil; {
		progress = false
		var round sync.WaitGroup
		var mu sync.Mutex
		for _, h := range s.listDue(ctx, s.parallelChecks()) {
			round.Go(func() {
				did := s.reconcileDomain(ctx, h.ID)
				mu.Lock()
				defer mu.Unlock()
				progress = progress || did
			})
		}
		round.Wait()
	}
}

// Restore announces all attached names to the edge. It is called at the start of the one
// process that contains the edge, before the edge serves and before Run. Run retries a name
// that fails.
func (s *Service) Restore(ctx context.Context) error {
	all, err := s.listOfProject(ctx, "")
	if err != nil {
		return err
	}
	for _, h := range all {
		if err := s.restoreDomain(ctx, h); err != nil && !errors.Is(err, errChanged) && !errors.Is(err, errGone) {
			return err
		}
	}
	return nil
}

func (s *Service) restoreDomain(ctx context.Context, h anchor.Hostname) error {
	atOnce := isClaimed(h) // by a process that has ended
	attached := h.CloudFrontStatus == anchor.EdgeDeployed
	if h.Status != anchor.HostRemoving && attached {
		if err := s.Front.Attach(ctx, h); err != nil {
			s.log().Warn("attach a domain", "domain", h.Name, "error", err)
			atOnce = true
		}
		atOnce = atOnce || s.lacksCertificate(ctx, h)
	}
	if !atOnce {
		return ctx.Err()
	}
	h.NextCheck = s.now().UnixMilli()
	_, err := s.stampAndWrite(ctx, h)
	return err
}

// lacksCertificate reports whether a name that was served has no certificate any more: it was
// another CA's, or was not copied with the records. The next planned check may be half a day
// away.
func (s *Service) lacksCertificate(ctx context.Context, h anchor.Hostname) bool {
	if h.OwnCert {
		return false
	}
	cert, err := s.Certificates.Ensure(ctx, h)
	return err != nil || cert.Status != anchor.CertIssued
}

// checkSoon makes the name due now, unless it is being worked on or just was.
func (s *Service) checkSoon(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	now := s.now().UnixMilli()
	if s.lanes.isBusy(h.ID) || now-h.CheckedAt < firstPoll.Milliseconds() {
		return h, nil
	}
	h.NextCheck, h.Attempts = now, 0
	stored, err := s.stampAndWrite(ctx, h)
	switch {
	case errors.Is(err, errChanged):
		return s.Directory.Hostname(ctx, h.ID) // somebody works on it
	case err != nil:
		return h, err
	}
	s.wakeReconciler()
	return stored, nil
}
