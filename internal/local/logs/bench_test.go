package logs

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// BenchmarkLast_AMillionLines searches a project's whole log of 128 MiB.
func BenchmarkLast_AMillionLines(b *testing.B) {
	const lines = 1_000_000
	book, err := Open(b.TempDir(), 256<<20)
	if err != nil {
		b.Fatal(err)
	}
	defer book.Close()
	for i := range lines {
		l := anchor.LogLine{Time: int64(i), DeploymentID: one, Function: "default", Level: anchor.LogLevels[i%4], Path: "/p", Text: fmt.Sprint("order ", i, " of the shop")}
		if err := book.Append(shop, l); err != nil {
			b.Fatal(err)
		}
	}
	for name, f := range map[string]anchor.LogFilter{
		"the newest": {}, "nothing": {Text: "no such text"}, "a rare text": {Text: "order 77777 "}, "half of the lines": {Level: "warn", Text: "shop"}, "the first minute": {Until: 60_000},
	} {
		b.Run(name, func(b *testing.B) {
			var peak uint64
			for b.Loop() {
				runtime.GC()
				for _, err := range book.Last(context.Background(), shop, f, 200) {
					if err != nil {
						b.Fatal(err)
					}
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			b.ReportMetric(float64(peak)/(1<<20), "MiB-heap-after")
		})
	}
}
