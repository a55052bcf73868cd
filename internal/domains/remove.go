package domains

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// removePatience is how long a user's removal waits for its end. The reconciler ends what takes
// longer: some fronts release a certificate only after minutes.
const removePatience = 15 * time.Second

// Remove takes the domain from the edge, forgets its certificate and its record.
// Once that is decided it returns nil, and what cannot be done at once is done in
// the background: until then the domain is "removing" and its name is not free.
// NotFound; a Conflict "domain_redirected_to" when other domains redirect to it.
func (s *Service) Remove(ctx context.Context, p anchor.ProjectID, idOrName string) error {
	h, err := s.findInProject(ctx, p, idOrName)
	if err != nil {
		return err
	}
	others, err := s.listRedirectsTo(ctx, h)
	switch {
	case err != nil:
		return err
	case len(others) > 0:
		return anchor.Conflict("domain_redirected_to", "%s redirects to %s", others[0].Name, h.Name).
			Hintf("Remove that one first: anchor domains rm %s", others[0].Name)
	}
	_, err = s.removeDomain(ctx, h.ID)
	return err
}

// RemoveAll removes all domains of a project, whose records must still exist. It is KindBusy,
// "domains_remain", while some of them are not removed yet; the reconciler continues with those,
// and so does the next call.
func (s *Service) RemoveAll(ctx context.Context, p anchor.ProjectID) error {
	all, err := s.listOfProject(ctx, p)
	if err != nil {
		return err
	}
	var remain []error
	for _, h := range all {
		if done, err := s.removeDomain(ctx, h.ID); err != nil {
			remain = append(remain, err)
		} else if !done {
			remain = append(remain, fmt.Errorf("%s is still being removed", h.Name))
		}
	}
	if len(remain) == 0 {
		return nil
	}
	busy := &anchor.Error{
		Kind: anchor.KindBusy, Code: "domains_remain",
		Message: fmt.Sprintf("domains of the project that are not removed yet: %d", len(remain)),
	}
	return busy.Hintf("They are being removed. Try again in a few minutes.").Because(errors.Join(remain...))
}

// removeDomain records the removal and continues it as far as possible at once.
func (s *Service) removeDomain(ctx context.Context, id anchor.HostnameID) (done bool, err error) {
	leave, err := s.lanes.takeLane(ctx, id)
	if err != nil {
		return false, err
	}
	defer leave()
	return s.removeInLane(ctx, id)
}

// removeInLane is removeDomain for a caller that holds the lane.
func (s *Service) removeInLane(ctx context.Context, id anchor.HostnameID) (done bool, err error) {
	elsewhere := false
	h, err := s.changeRecord(ctx, id, func(h anchor.Hostname) (anchor.Hostname, error) {
		now := s.now()
		elsewhere = isClaimed(h) && h.NextCheck > now.UnixMilli()
		h.Status, h.Attempts, h.Problem = anchor.HostRemoving, 0, ""
		return claimCheck(h, now), nil
	})
	switch {
	case errors.Is(err, anchor.ErrNotFound):
		return true, nil // another removal was faster
	case err != nil:
		return false, err
	case elsewhere: // another process may be at its certificate: end it after the claim
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removePatience)
	defer cancel()
	if err := s.finishRemoval(ctx, h); err != nil {
		s.log().Warn("remove a domain", "domain", h.Name, "error", err)
		return false, nil
	}
	_, err = s.Directory.Hostname(ctx, id)
	return errors.Is(err, anchor.ErrNotFound), nil
}

// finishRemoval completes a removal, or records what prevents it and when to try again.
func (s *Service) finishRemoval(ctx context.Context, h anchor.Hostname) error {
	err := s.detachAndDelete(ctx, h)
	if err == nil {
		s.log().Info("domain removed", "domain", h.Name)
		return nil
	}
	s.scheduleRetry(&h, Certificate{}, firstDelay, describeFailure(h.Name+" could not be removed yet", err))
	h.CheckedAt = s.now().UnixMilli()
	_, err = s.stampAndWrite(context.WithoutCancel(ctx), h)
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

func (s *Service) detachAndDelete(ctx context.Context, h anchor.Hostname) error {
	ctx, cancel := context.WithTimeout(ctx, longestOrder)
	defer cancel()
	if err := s.Front.Detach(ctx, h); err != nil {
		return err
	}
	if err := s.Certificates.Release(ctx, h); err != nil {
		return err
	}
	return s.Records.DeleteHostname(ctx, h.ID)
}

// changeRecord applies do to the record as it is now and writes it, however often
// somebody else writes first. NotFound when it is gone.
func (s *Service) changeRecord(ctx context.Context, id anchor.HostnameID, do func(anchor.Hostname) (anchor.Hostname, error)) (anchor.Hostname, error) {
	for {
		h, err := s.Directory.Hostname(ctx, id)
		if err != nil {
			return h, err
		}
		if h, err = do(h); err != nil {
			return h, err
		}
		h.UpdatedAt = s.now().UnixMilli()
		h, err = s.Records.UpdateHostname(ctx, h)
		if !errors.Is(err, anchor.ErrConflict) {
			return h, err
		}
	}
}

// listOfProject returns all the project's hostnames.
func (s *Service) listOfProject(ctx context.Context, p anchor.ProjectID) (all []anchor.Hostname, err error) {
	page := anchor.Page{Limit: anchor.MaxPage}
	for {
		list, err := s.Directory.Hostnames(ctx, p, page)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return all, nil
		}
	}
}

// listRedirectsTo returns the hostnames of h's project that redirect to it.
func (s *Service) listRedirectsTo(ctx context.Context, h anchor.Hostname) (found []anchor.Hostname, err error) {
	all, err := s.listOfProject(ctx, h.ProjectID)
	for _, one := range all {
		if one.Redirect == h.Name && one.Status != anchor.HostRemoving {
			found = append(found, one)
		}
	}
	return found, err
}
