package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
)

// TestBackups_SayWhichCanReplaceTheRecords makes two copies and damages one.
func TestBackups_SayWhichCanReplaceTheRecords(t *testing.T) {
	c := config(t, t.TempDir())
	c.Node = "node"
	r, _ := up(t, c)
	token, err := os.ReadFile(r.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	api := client.New(r.APIURL, strings.TrimSpace(string(token)))
	for range 2 {
		if _, err := api.MakeBackup(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all, err := api.Backups(t.Context())
	if err != nil || len(all) < 2 || all[0].Bytes == 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := os.WriteFile(filepath.Join(c.Data, "backups", all[1].Name), []byte("not a database, and longer than the header of one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := api.VerifyBackup(t.Context(), all[0].Name); err != nil {
		t.Error(err)
	}
	if err := api.VerifyBackup(t.Context(), all[1].Name); anchor.CodeOf(err) != "backup_damaged" || anchor.HintOf(err) == "" {
		t.Errorf("a damaged copy: %v", err)
	}
	for _, name := range []string{"nothing.db", "../anchor.db"} {
		if err := api.VerifyBackup(t.Context(), name); anchor.CodeOf(err) != "unknown_backup" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
