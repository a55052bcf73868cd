package acme

import (
	"slices"
	"testing"
)

func TestManager_Issuers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config Config
		want   []string
	}{
		"the default CA":     {Config{}, []string{"letsencrypt.org"}},
		"its staging":        {Config{Staging: true}, []string{"letsencrypt.org"}},
		"another CA":         {Config{CA: "https://ca.example/directory"}, nil},
		"another CA's stage": {Config{CA: "https://ca.example/directory", Staging: true}, nil},
	} {
		m := &Manager{cfg: test.config.withDefaults()}
		if got := m.Issuers(); !slices.Equal(got, test.want) {
			t.Errorf("%s: the issuers are %q, want %q", name, got, test.want)
		}
	}
}
