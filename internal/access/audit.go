package access

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// HasAudit reports whether there is an audit log.
func (s *Service) HasAudit() bool { return s.Audit != nil }

// Record adds a change to the audit log, durable on return, also when ctx has ended: who closes the connection in time
// must not leave a change without an entry. Where there is no log it does nothing.
func (s *Service) Record(ctx context.Context, e anchor.AuditEntry) error {
	if s.Audit == nil {
		return nil
	}
	e.At = s.now()
	return s.Audit.AppendAudit(context.WithoutCancel(ctx), e)
}

// Changes returns entries of the audit log, newest first.
func (s *Service) Changes(ctx context.Context, f anchor.AuditFilter) ([]anchor.AuditEntry, error) {
	if s.Audit == nil {
		return nil, anchor.NotFound("no_audit", "this server has no audit log: it is kept on platform local").
			Hintf("See the log of the API in CloudWatch, and CloudTrail for the account.")
	}
	return s.Audit.Audit(ctx, f)
}
