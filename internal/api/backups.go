package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Backups are copies of the records.
type Backups interface {
	// List returns the copies, the newest first.
	List(ctx context.Context) ([]anchor.Backup, error)
	// Make copies the records as they are now. It removes the oldest copies.
	Make(ctx context.Context) (anchor.Backup, error)
	// Verify reads a whole copy: ErrNotFound when there is none of that name, a Conflict when it cannot
	// replace the records.
	Verify(ctx context.Context, name string) error
}

func (s *server) backupRoutes() {
	const all = "/backups"
	handleRoute(s, newOperation("list-backups", http.MethodGet, all, anchor.ScopeAdmin, "List copies of the records, newest first", 501), s.listBackups)
	create := newOperation("make-backup", http.MethodPost, all, anchor.ScopeAdmin, "Copy the records now", 501)
	create.Description += " The server does so every six hours and keeps eight. A copy has no files of deployments and no keys."
	create.DefaultStatus = http.StatusCreated
	handleRoute(s, create, s.makeBackup)
	verify := newOperation("verify-backup", http.MethodPost, all+"/{name}/verify", anchor.ScopeAdmin, "Check whether a copy can replace the records", 404, 409, 501)
	verify.Metadata[quietKey] = true // it changes nothing
	handleRoute(s, verify, s.verifyBackup)
}

func (s *server) checkBackups() error {
	if s.Backups == nil {
		return newProblem(http.StatusNotImplemented, "no_backups", "on AWS, the records are in DynamoDB, which keeps their backups", "See the point-in-time recovery of the tables in the AWS console.")
	}
	return nil
}

func (s *server) listBackups(ctx context.Context, _ *none) (*body[wire.Items[anchor.Backup]], error) {
	if err := s.checkBackups(); err != nil {
		return nil, err
	}
	all, err := s.Backups.List(ctx)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.Backup]{Items: append([]anchor.Backup{}, all...)}), nil
}

func (s *server) makeBackup(ctx context.Context, _ *none) (*body[anchor.Backup], error) {
	if err := s.checkBackups(); err != nil {
		return nil, err
	}
	b, err := s.Backups.Make(ctx)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, b.Name)
	return answerWith(b), nil
}

func (s *server) verifyBackup(ctx context.Context, in *struct {
	Name string `path:"name" maxLength:"100"`
}) (*none, error) {
	if err := s.checkBackups(); err != nil {
		return nil, err
	}
	return nil, s.Backups.Verify(ctx, in.Name)
}
