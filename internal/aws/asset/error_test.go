package asset_test

import (
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var imageFunction = anchor.Function{Name: anchor.ImageFunction, Image: true}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if anchor.CodeOf(err) != code {
		t.Errorf("it answers %v (%s), want %s", err, anchor.CodeOf(err), code)
	}
}

func wantHint(t *testing.T, err error, text string) {
	t.Helper()
	if hint := anchor.HintOf(err); !strings.Contains(hint, text) {
		t.Errorf("the hint %q does not say %q", hint, text)
	}
}
