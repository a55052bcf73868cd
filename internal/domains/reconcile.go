package domains

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The outcomes for a record during a check.
var (
	errChanged = errors.New("the record was changed meanwhile")
	errGone    = errors.New("the record was removed meanwhile")
)

// reconcileDomain takes one due hostname as far as it gets now and records when to check again. It reports
// whether it did. When the record changed meanwhile, it starts again from the new one.
func (s *Service) reconcileDomain(ctx context.Context, id anchor.HostnameID) bool {
	ctx, leave, free := s.lanes.tryLane(ctx, id)
	if !free {
		return false
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	for range 3 {
		did, err := s.reconcileOnce(ctx, id)
		switch {
		case errors.Is(err, errChanged):
			continue
		case err != nil && ctx.Err() == nil:
			s.log().Warn("look at a domain", "domainId", id, "error", err)
		}
		return did && err == nil
	}
	return false
}

func (s *Service) reconcileOnce(ctx context.Context, id anchor.HostnameID) (bool, error) {
	h, err := s.Directory.Hostname(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return false, nil
	}
	now := s.now()
	if err != nil || h.NextCheck == 0 || h.NextCheck > now.UnixMilli() {
		return false, err
	}
	before := h.Status
	if h, err = s.writeRecord(ctx, claimCheck(h, now)); err != nil {
		return false, err
	}
	if h.Status == anchor.HostRemoving {
		return true, s.finishRemoval(ctx, h)
	}
	err = s.takeSteps(ctx, &h)
	switch {
	case errors.Is(err, errGone):
		s.undoOrphan(ctx, h)
		return false, nil
	case ctx.Err() != nil:
		return false, s.releaseClaim(h, err)
	case err != nil:
		return false, err
	}
	h.CheckedAt = s.now().UnixMilli()
	h, err = s.stampAndWrite(ctx, h)
	if errors.Is(err, errGone) {
		s.undoOrphan(ctx, h)
		return false, nil
	}
	if err == nil && h.Status != before {
		s.log().Info("domain", "domain", h.Name, "from", before, "to", h.Status, "problem", h.Problem)
	}
	return true, err
}

// releaseClaim ends the claim when the check was interrupted by a stop or by a user's change, so
// that the next check need not wait for the lease.
func (s *Service) releaseClaim(h anchor.Hostname, cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stored, err := s.Directory.Hostname(ctx, h.ID)
	if err != nil || stored.Revision != h.Revision {
		return cause
	}
	stored.NextCheck = s.now().UnixMilli()
	if _, err := s.stampAndWrite(ctx, stored); err != nil {
		return fmt.Errorf("%w; release the claim: %w", cause, err)
	}
	return cause
}

// undoOrphan removes what a check may have made for a hostname that another process removed
// meanwhile.
func (s *Service) undoOrphan(ctx context.Context, h anchor.Hostname) {
	if _, err := s.Directory.HostnameByName(ctx, h.Name); !errors.Is(err, anchor.ErrNotFound) {
		return // the name is somebody's again
	}
	err := errors.Join(s.Front.Detach(ctx, h), s.Certificates.Release(ctx, h))
	if err != nil {
		s.log().Warn("take back a removed domain", "domain", h.Name, "error", err)
	}
}

// stampAndWrite writes h with the time of the change.
func (s *Service) stampAndWrite(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	h.UpdatedAt = s.now().UnixMilli()
	return s.writeRecord(ctx, h)
}

// writeRecord writes h; on an error it returns h unchanged.
func (s *Service) writeRecord(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	stored, err := s.Records.UpdateHostname(ctx, h)
	switch {
	case errors.Is(err, anchor.ErrConflict):
		return h, fmt.Errorf("%w: %w", errChanged, err)
	case errors.Is(err, anchor.ErrNotFound):
		return h, fmt.Errorf("%w: %w", errGone, err)
	case err != nil:
		return h, err
	}
	return stored, nil
}
