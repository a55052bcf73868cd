package metrics

import "github.com/anchor-deploy/anchor/internal/local/edge"

// Delta is the traffic of a deployment between two readings.
type Delta struct {
	Project, Deployment string
	Totals
}

// Deltas turns what an edge has counted since its start into what came since the last reading.
type Deltas struct{ last map[string]Totals }

// Since returns the deployments that had requests since the last call. It forgets those that are not
// served any more.
func (d *Deltas) Since(sites []edge.SiteMeasures) (all []Delta) {
	present := make(map[string]Totals, len(sites))
	for i := range sites {
		s := &sites[i]
		now, before := Sum(s.Samples), d.last[s.Deployment]
		present[s.Deployment] = now
		if now.Requests < before.Requests { // the site was opened again
			before = Totals{}
		}
		if now.Requests == before.Requests {
			continue
		}
		delta := Delta{Project: s.Project, Deployment: s.Deployment, Totals: now}
		delta.subtract(&before)
		all = append(all, delta)
	}
	d.last = present
	return all
}
