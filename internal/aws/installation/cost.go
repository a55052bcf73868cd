package installation

import (
	"fmt"
	"strings"
)

// Usage is what a month of an installation is billed by.
type Usage struct {
	Projects int     // each with two functions, and without a release in the month
	Requests float64 // of visitors, over HTTPS
	Tenants  int     // custom domains

	ProvisionedGB float64 // memory of the instances that provisioned concurrency keeps started
	Warmers       int     // projects with a warmer
	Warmed        int     // instances that warmers keep started
	WarmedGB      float64 // their memory
}

// What a request is assumed to be. docs/aws.md says so beside the table.
const (
	answerGB = 50e3 / 1e9 // size of an answer
	uncached = 0.5        // share of the requests that reach a function
	seconds  = 0.1        // that a function takes for one, at 1 GB of memory
	logGB    = 1e3 / 1e9  // what a function's request writes to CloudWatch Logs: the app's line, and Lambda's three
	stale    = 0.01       // share of a function's requests that queue a revalidation
	filesGB  = 0.5        // files and incremental caches of a project's kept deployments
)

// What an idle installation does in a month of 30 days. TestPlatform_Reconcile_IdleDay counts the calls to the store.
const (
	rounds       = 30 * 24 * 60 // of the reconciler
	roundSeconds = 0.2
	roundGB      = 0.5 + 0.25 // memory of the deploy and the domains handler
	roundReads   = 5          // DynamoDB: unfinished deployments, pointers, removals, the sweep, due domains
	roundWrites  = 2          // DynamoDB: the sweep's lease is one transaction, which is billed twice
	roundLogGB   = 2 * 300 / 1e9
	storeCalls   = 30 * 2      // to the API of a project's KeyValueStore
	queuePolls   = rounds * 15 // Lambda keeps five requests of 20 s open at each queue
)

// What warmers do in a month.
const (
	warmings     = rounds / 5 // a warmer sends an event every five minutes
	warmSeconds  = 0.1        // that an instance holds an event, and takes for it
	sendSeconds  = 0.2        // that the handler takes to send them
	sendGB       = 0.125
	monthSeconds = rounds * 60
)

// price is one position of a bill.
type price struct {
	name   string
	usd    float64 // for per units
	per    float64
	unit   string
	source string // the service's pricing page, aws.amazon.com/<source>/pricing
	how    string // what is counted
	count  func(Usage) float64
}

// prices are AWS's public list prices of us-east-1 as noted in 2026, in the first tier, without free tiers.
var prices = []price{
	{"CloudFront, requests", 1.00, 1e6, "requests over HTTPS", "cloudfront", "each request", func(u Usage) float64 { return u.Requests }},
	{"CloudFront, data out", 0.085, 1, "GB", "cloudfront", "50 KB for each request", func(u Usage) float64 { return u.Requests * answerGB }},
	{"CloudFront Functions", 0.10, 1e6, "invocations", "cloudfront", "each request", func(u Usage) float64 { return u.Requests }},
	{"KeyValueStore, reads by the function", 0.03, 1e6, "reads", "cloudfront", "2 for each request", func(u Usage) float64 { return 2 * u.Requests }},
	{"KeyValueStore API", 1.00, 1e3, "calls", "cloudfront", "2 a day for each project", func(u Usage) float64 { return storeCalls * float64(u.Projects) }},
	{"Lambda, requests of sites", 0.20, 1e6, "requests", "lambda", "half of the requests", func(u Usage) float64 { return u.Requests * uncached }},
	{"Lambda, duration of sites", 0.0000133334, 1, "GB-seconds, arm64", "lambda", "0.1 s at 1,024 MB for half of the requests", func(u Usage) float64 { return u.Requests * uncached * seconds }},
	{"Lambda, requests of the schedule", 0.20, 1e6, "requests", "lambda", "2 a minute", func(Usage) float64 { return 2 * rounds }},
	{"Lambda, duration of the schedule", 0.0000133334, 1, "GB-seconds, arm64", "lambda", "0.2 s at 512 MB and at 256 MB a minute", func(Usage) float64 { return rounds * roundSeconds * roundGB }},
	{"Lambda, provisioned concurrency", 0.0000033334, 1, "GB-seconds, arm64", "lambda", "the memory of provisioned instances, at all times", func(u Usage) float64 { return u.ProvisionedGB * monthSeconds }},
	{"EventBridge Scheduler, warmers", 1.00, 1e6, "invocations", "eventbridge", "1 in 5 minutes for each project with a warmer", func(u Usage) float64 { return warmings * float64(u.Warmers) }},
	{"Lambda, requests of warmers", 0.20, 1e6, "requests", "lambda", "1 in 5 minutes for each project with a warmer, and for each instance", func(u Usage) float64 { return warmings * float64(u.Warmers+u.Warmed) }},
	{"Lambda, duration of warmers", 0.0000133334, 1, "GB-seconds, arm64", "lambda", "0.1 s for each event and instance, 0.2 s at 128 MB to send them", func(u Usage) float64 {
		return warmings * (warmSeconds*u.WarmedGB + sendSeconds*sendGB*float64(u.Warmers))
	}},
	{"DynamoDB, writes of the schedule", 0.625, 1e6, "write units", "dynamodb", "2 a minute", func(Usage) float64 { return rounds * roundWrites }},
	{"DynamoDB, reads of the schedule", 0.125, 1e6, "read units", "dynamodb", "5 a minute", func(Usage) float64 { return rounds * roundReads }},
	{"DynamoDB, tags", 0.125, 1e6, "read units", "dynamodb", "2 for half of the requests", func(u Usage) float64 { return 2 * u.Requests * uncached }},
	{"S3, reads", 0.40, 1e6, "GET requests", "s3", "half of the requests", func(u Usage) float64 { return u.Requests * uncached }},
	{"S3, storage", 0.023, 1, "GB a month", "s3", "0.5 GB for each project", func(u Usage) float64 { return filesGB * float64(u.Projects) }},
	{"SQS, polling", 0.50, 1e6, "FIFO requests", "sqs", "15 a minute for each project, by Lambda", func(u Usage) float64 { return queuePolls * float64(u.Projects) }},
	{"SQS, revalidations", 0.50, 1e6, "FIFO requests", "sqs", "3 for 1 % of the functions' requests", func(u Usage) float64 { return 3 * u.Requests * uncached * stale }},
	{"CloudWatch Logs, sites", 0.50, 1, "GB taken in", "cloudwatch", "1 KB for half of the requests", func(u Usage) float64 { return u.Requests * uncached * logGB }},
	{"CloudWatch Logs, the schedule", 0.50, 1, "GB taken in", "cloudwatch", "600 bytes a minute", func(Usage) float64 { return rounds * roundLogGB }},
	{"CloudFront tenants", 20, 1, "the first 200", "cloudfront", "beyond 10 domains", func(u Usage) float64 { return boolCount(u.Tenants > 10) }},
	{"CloudFront tenants, more", 0.10, 1, "each", "cloudfront", "beyond 200 domains", func(u Usage) float64 { return float64(max(0, u.Tenants-200)) }},
}

func boolCount(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Cost is one position of a month's bill.
type Cost struct {
	Name   string
	Count  float64 // of units
	USD    float64
	Price  string // "1.00 for 1M requests over HTTPS"
	Source string // the URL of the service's prices
	How    string // what is counted
}

// Costs returns what a month costs by AWS's list prices, position by position, with those that cost nothing.
func Costs(u Usage) []Cost {
	all := make([]Cost, 0, len(prices))
	for _, p := range prices {
		count := p.count(u)
		all = append(all, Cost{
			Name: p.name, Count: count, USD: count / p.per * p.usd, How: p.how,
			Price: fmt.Sprintf("%s for %s %s", amount(p.usd), units(p.per), p.unit), Source: "https://aws.amazon.com/" + p.source + "/pricing/",
		})
	}
	return all
}

// SumUSD returns what a month costs.
func SumUSD(u Usage) (sum float64) {
	for _, c := range Costs(u) {
		sum += c.USD
	}
	return sum
}

// StartedUSD returns the part of what a month costs that is for provisioned concurrency and warmers.
func StartedUSD(u Usage) float64 {
	without := u
	without.ProvisionedGB, without.Warmers, without.Warmed, without.WarmedGB = 0, 0, 0, 0
	return SumUSD(u) - SumUSD(without)
}

func amount(usd float64) string {
	text := strings.TrimRight(fmt.Sprintf("%.10f", usd), "0")
	if whole, cents, _ := strings.Cut(text, "."); len(cents) < 2 {
		return whole + "." + (cents + "00")[:2]
	}
	return text
}

func units(n float64) string {
	switch n {
	case 1e6:
		return "1M"
	case 1e3:
		return "1,000"
	}
	return fmt.Sprintf("%g", n)
}

// CostTable returns the table of docs/aws.md: a month of one project without visitors, with 1M and with 100M
// requests. Positions that cost nothing in all three are left out.
func CostTable() string {
	var b strings.Builder
	b.WriteString("| | unit price, USD | counted | idle | 1M requests | 100M requests |\n|---|---|---|---|---|---|\n")
	months := []Usage{{Projects: 1}, {Projects: 1, Requests: 1e6}, {Projects: 1, Requests: 100e6}}
	idle, million, most := Costs(months[0]), Costs(months[1]), Costs(months[2])
	for i, c := range idle {
		if most[i].USD == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | [%s](%s) | %s | %.2f | %.2f | %.2f |\n", c.Name, c.Price, c.Source, c.How, c.USD, million[i].USD, most[i].USD)
	}
	fmt.Fprintf(&b, "| **sum** | | | **%.2f** | **%.2f** | **%.2f** |\n", SumUSD(months[0]), SumUSD(months[1]), SumUSD(months[2]))
	return b.String()
}
