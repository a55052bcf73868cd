package installation_test

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

var update = flag.Bool("update", false, "rewrite the table of docs/aws.md")

const (
	docs         = "../../../docs/aws.md"
	begin, ended = "<!-- costs: written by go test ./internal/aws/installation -update -->\n", "<!-- costs end -->\n"
)

// The table in the documentation is the one that the code computes.
func TestCostTable_IsInTheDocs(t *testing.T) {
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	table, after, closed := strings.Cut(rest, ended)
	if !found || !closed {
		t.Fatalf("%s has no table of costs", docs)
	}
	if *update {
		if err := os.WriteFile(docs, []byte(before+begin+installation.CostTable()+ended+after), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if table != installation.CostTable() {
		t.Errorf("%s has\n%swant\n%s", docs, table, installation.CostTable())
	}
}

// Positions computed by hand from the price lists.
func TestCosts_ByHand(t *testing.T) {
	for name, want := range map[string][3]float64{ // idle, 1M, 100M
		"CloudFront, requests":             {0, 1, 100},
		"CloudFront, data out":             {0, 4.25, 425},           // 50 GB, 5 TB
		"KeyValueStore API":                {0.06, 0.06, 0.06},       // 60 calls
		"Lambda, duration of sites":        {0, 0.6667, 66.667},      // 50,000 GB-seconds
		"Lambda, duration of the schedule": {0.0864, 0.0864, 0.0864}, // 6,480 GB-seconds
		"SQS, polling":                     {0.324, 0.324, 0.324},    // 648,000 requests
		"CloudWatch Logs, sites":           {0, 0.25, 25},            // 0.5 GB
		"DynamoDB, tags":                   {0, 0.125, 12.5},
	} {
		for i, u := range []installation.Usage{{Projects: 1}, {Projects: 1, Requests: 1e6}, {Projects: 1, Requests: 1e8}} {
			found := false
			for _, c := range installation.Costs(u) {
				if c.Name == name {
					if found = true; math.Abs(c.USD-want[i]) > 0.001*max(want[i], 1) {
						t.Errorf("%s of %+v costs %f, want %f", name, u, c.USD, want[i])
					}
					if c.Source == "" || c.Price == "" || c.How == "" {
						t.Errorf("%s has no source: %+v", name, c)
					}
				}
			}
			if !found {
				t.Errorf("there is no %s", name)
			}
		}
	}
	for tenants, want := range map[int]float64{0: 0, 10: 0, 11: 20, 200: 20, 1000: 100, 10_000: 1000} {
		if got := installation.SumUSD(installation.Usage{Tenants: tenants}) - installation.SumUSD(installation.Usage{}); math.Abs(got-want) > 1e-6 {
			t.Errorf("%d domains cost %f, want %f", tenants, got, want)
		}
	}
	// 2 instances of 1 GB for 2,592,000 s; 3 warmed ones of 2 GB together in one project, 8,640 times.
	for _, started := range []struct {
		usage installation.Usage
		want  float64
	}{
		{installation.Usage{ProvisionedGB: 2}, 17.2803},
		{installation.Usage{Warmers: 1, Warmed: 3, WarmedGB: 2}, 0.00864 + 0.0069120 + 0.0259203},
	} {
		if got := installation.SumUSD(started.usage) - installation.SumUSD(installation.Usage{}); math.Abs(got-started.want) > 1e-4 {
			t.Errorf("%+v costs %f, want %f", started.usage, got, started.want)
		}
	}
	// An idle project costs what is billed for it alone.
	if got := installation.SumUSD(installation.Usage{Projects: 11}) - installation.SumUSD(installation.Usage{Projects: 1}); math.Abs(got-10*0.3955) > 0.001 {
		t.Errorf("ten more idle projects cost %f", got)
	}
}
