package wire

import (
	"maps"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Changes are what differs between two deployments.
type Changes struct {
	From       anchor.DeploymentID `json:"from" doc:"Empty if nothing is live"`
	To         anchor.DeploymentID `json:"to"`
	FromCommit string              `json:"fromCommit"`
	ToCommit   string              `json:"toCommit"`
	Size       int64               `json:"size" doc:"Bytes of the files of to"`
	Files      Difference          `json:"files"`
	Variables  Difference          `json:"variables" doc:"Run-time variables, by name"`
}

// Difference names what differs between two sets, sorted.
type Difference struct {
	Added   []string `json:"added" nullable:"false"`
	Removed []string `json:"removed" nullable:"false"`
	Changed []string `json:"changed" nullable:"false"`

	AddedCount   int `json:"addedCount" doc:"The lists are cut at 200 names"`
	RemovedCount int `json:"removedCount"`
	ChangedCount int `json:"changedCount"`
}

// Compare returns the difference of two sets of names with values. Each list has at most so many names.
func Compare(before, after map[string]string, most int) Difference {
	d := Difference{Added: []string{}, Removed: []string{}, Changed: []string{}}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		old, known := before[name]
		switch {
		case !known:
			d.Added = append(d.Added, name)
		case old != after[name]:
			d.Changed = append(d.Changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, left := after[name]; !left {
			d.Removed = append(d.Removed, name)
		}
	}
	d.AddedCount, d.RemovedCount, d.ChangedCount = len(d.Added), len(d.Removed), len(d.Changed)
	cut := func(list []string) []string { return list[:min(len(list), most)] }
	d.Added, d.Removed, d.Changed = cut(d.Added), cut(d.Removed), cut(d.Changed)
	return d
}
