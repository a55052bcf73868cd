package aws

import (
	"bytes"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func platformWith(t *testing.T, key byte, g Generations) *Platform {
	t.Helper()
	p, err := New(Config{AWS: sdk.Config{}, Key: bytes.Repeat([]byte{key}, keySize), Secrets: g})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSecrets_Rotation rotates the secret. A version keeps the secret that it was published with, and can
// be reached until the distribution no longer sends it.
func TestSecrets_Rotation(t *testing.T) {
	shop := anchor.Project{ID: "shop"}
	before := platformWith(t, 1, Generations{})
	old := before.secret(shop.ID)
	if all := before.secrets(shop); !slices.Equal(all, []string{old}) {
		t.Errorf("before the rotation CloudFront sends %v, want the one secret %s", all, old)
	}
	during := platformWith(t, 1, Generations{Newest: 2})
	if during.secret(shop.ID) == old {
		t.Error("a new generation has the old secret")
	}
	if all := during.secrets(shop); !slices.Equal(all, []string{during.secret(shop.ID), old}) {
		t.Errorf("during the rotation CloudFront sends %v", all)
	}
	after := platformWith(t, 1, Generations{Newest: 2, Oldest: 2})
	if all := after.secrets(shop); !slices.Equal(all, []string{during.secret(shop.ID)}) {
		t.Errorf("after the rotation CloudFront sends %v", all)
	}
}

func TestSecrets_ArePerProjectAndKey(t *testing.T) {
	p := platformWith(t, 1, Generations{})
	if p.secret("shop") == p.secret("blog") {
		t.Error("two projects share a secret")
	}
	if p.secret("shop") == platformWith(t, 2, Generations{}).secret("shop") {
		t.Error("two installations share a secret")
	}
	if len(p.secret("shop")) != 43 {
		t.Errorf("the secret %q is not 256 bits in base64", p.secret("shop"))
	}
}

func TestConfig_Refused(t *testing.T) {
	for name, c := range map[string]Config{
		"no key":               {},
		"a short key":          {Key: make([]byte, keySize-1)},
		"an oldest to come":    {Key: make([]byte, keySize), Secrets: Generations{Newest: 2, Oldest: 3}},
		"a negative secret":    {Key: make([]byte, keySize), Secrets: Generations{Newest: -1}},
		"an oldest, no newest": {Key: make([]byte, keySize), Secrets: Generations{Oldest: 2}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
