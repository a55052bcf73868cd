package access_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

func service() (*access.Service, *memory.Store) {
	s := memory.New()
	return access.New(access.Ports{Tokens: s}, access.Options{Now: func() time.Time { return time.UnixMilli(7) }}), s
}

func fails(t *testing.T, err error, kind anchor.Kind, code string) *anchor.Error {
	t.Helper()
	e := (*anchor.Error)(nil)
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code || e.Hint == "" {
		t.Fatalf("error %v, want one of kind %s and code %s with a hint", err, kind, code)
	}
	return e
}

func TestService_Check_Secret(t *testing.T) {
	s, store := service()
	secret, made, err := s.Create(t.Context(), " ci ", anchor.ScopeDeploy)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^anchor_[0-9A-Za-z]{43}$`).MatchString(secret) {
		t.Errorf("secret %q", secret)
	}
	got, err := s.Check(t.Context(), secret)
	if err != nil || got.ID != made.ID || got.Name != "ci" || got.Scope != anchor.ScopeDeploy || got.CreatedAt != 7 {
		t.Errorf("checked: %+v, %v", got, err)
	}
	kept, err := store.Tokens(t.Context())
	if err != nil || len(kept) != 1 || bytes.Contains(kept[0].Hash, []byte(secret)) || len(kept[0].Hash) != 32 {
		t.Errorf("kept: %+v, %v", kept, err)
	}
}

func TestService_Check_OtherSecrets(t *testing.T) {
	s, _ := service()
	secret, _, err := s.Create(t.Context(), "ci", anchor.ScopeAdmin)
	if err != nil {
		t.Fatal(err)
	}
	last := "0"
	if strings.HasSuffix(secret, last) {
		last = "1"
	}
	_, err = s.Check(t.Context(), secret[:len(secret)-1]+last)
	fails(t, err, anchor.KindUnauthorized, "unknown_token")
	for _, bad := range []string{"", "anchor_", secret + "0", secret[1:], strings.ToUpper(secret), secret[:len(secret)-1] + "-"} {
		_, err := s.Check(t.Context(), bad)
		fails(t, err, anchor.KindUnauthorized, "bad_token")
	}
}

func TestService_Check_RevokedToken(t *testing.T) {
	s, _ := service()
	secret, token, err := s.Create(t.Context(), "ci", anchor.ScopeAdmin)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := s.Create(t.Context(), "other", anchor.ScopeRead)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Revoke(t.Context(), token.ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.Check(t.Context(), secret)
	fails(t, err, anchor.KindUnauthorized, "revoked_token")
	if _, err := s.Check(t.Context(), other); err != nil {
		t.Errorf("the other token: %v", err)
	}
	list, err := s.List(t.Context())
	if err != nil || len(list) != 2 || list[1].RevokedAt != 7 {
		t.Errorf("list: %+v, %v", list, err)
	}
	fails(t, s.Revoke(t.Context(), "unknown"), anchor.KindNotFound, "unknown_token")
}

func TestService_Check_RecordsFail(t *testing.T) {
	s, store := service()
	secret, _, err := s.Create(t.Context(), "ci", anchor.ScopeAdmin)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk on fire")
	store.Fault = func(string) (bool, error) { return false, broken }
	if _, err := s.Check(t.Context(), secret); !errors.Is(err, broken) || anchor.KindOf(err) == anchor.KindUnauthorized {
		t.Errorf("check: %v", err)
	}
	if secret, _, err := s.Create(t.Context(), "ci", anchor.ScopeAdmin); !errors.Is(err, broken) || secret != "" {
		t.Errorf("create: %q, %v", secret, err)
	}
}

func TestService_Create_Refuses(t *testing.T) {
	s, _ := service()
	for _, name := range []string{"", "  ", strings.Repeat("ü", 65)} {
		_, _, err := s.Create(t.Context(), name, anchor.ScopeRead)
		fails(t, err, anchor.KindInvalid, "bad_token_name")
	}
	_, _, err := s.Create(t.Context(), "ci", "root")
	fails(t, err, anchor.KindInvalid, "bad_scope")
}
