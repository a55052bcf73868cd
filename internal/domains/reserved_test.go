package domains

import "testing"

func TestAnswersFor(t *testing.T) {
	for domain, want := range map[string]bool{
		"api.example.com": true, "*.example.com": true,
		"example.com": false, "*.api.example.com": false, "*.com": false, "www.example.com": false, "*.example.org": false,
	} {
		if got := answersFor(domain, "api.example.com"); got != want {
			t.Errorf("%s answers for api.example.com: %v", domain, got)
		}
	}
}
