package asset

import (
	"slices"
	"testing"
)

func TestAcceptable(t *testing.T) {
	for _, test := range []struct{ lines, want []string }{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{"gzip, br"}, []string{"br", "gzip"}},
		{[]string{"BR;q=0.5", "gzip,br"}, []string{"br", "gzip"}},
		{[]string{"gzip;q=0, br"}, []string{"br"}}, // an answer in gzip is not for this client
		{[]string{"identity, br"}, []string{"br"}},
		{[]string{"identity;q=0, br"}, []string{"br", "identity"}}, // nor is one without a coding for this
		{[]string{"*"}, []string{"*"}},
		{[]string{"*;q=0"}, []string{"!*"}},
	} {
		if got := Acceptable(test.lines); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.lines, got, test.want)
		}
	}
}
