package access

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// HasAudit reports whether there is an audit log.
func (s *Service) HasAudit() bool { return s.Audit != nil }

// Record adds a change to the audit log, durable on return. Where there is none it does nothing.
func (s *Service) Record(ctx context.Context, e anchor.AuditEntry) error {
	if s.Audit == nil {
		return nil
	}
	e.At = s.now()
	return s.Audit.AppendAudit(ctx, e)
}

// Changes returns entries of the audit log, newest first.
func (s *Service) Changes(ctx context.Context, f anchor.AuditFilter) ([]anchor.AuditEntry, error) {
	if s.Audit == nil {
		return nil, anchor.NotFound("no_audit", "this server has no audit log: it is kept on platform local").
			Hintf("See the log of the API in CloudWatch, and CloudTrail for the account.")
	}
	return s.Audit.Audit(ctx, f)
}
