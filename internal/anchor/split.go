package anchor

import "time"

// SplitPlan is what a release asks for that moves traffic to a deployment step by step.
type SplitPlan struct {
	Weight       int   `json:"weight" minimum:"1" maximum:"99" doc:"Percentage of the requests that the deployment gets"`
	Sticky       bool  `json:"sticky,omitempty" doc:"Divide the traffic by visitor, who stays on one deployment by a cookie, and not by request"`
	Guard        bool  `json:"guard,omitempty" doc:"Compare errors and latency of both deployments, and return all traffic to the live one when the other is worse"`
	Then         []int `json:"then,omitempty" doc:"Percentages of the next steps, rising; with 100 the deployment becomes the live one"`
	EverySeconds int64 `json:"everySeconds,omitempty" doc:"Seconds from one step to the next"`
}

// Split divides the production traffic of a project between the live deployment and another one.
// Times are Unix milliseconds.
type Split struct {
	SplitPlan
	Deployment DeploymentID `json:"deploymentId" doc:"The deployment that gets a share; the live one gets the rest"`
	Version    string       `json:"version" doc:"Its version label"`
	StartedAt  int64        `json:"startedAt" doc:"When it got its first share (Unix milliseconds)"`
	NextAt     int64        `json:"nextAt,omitempty" doc:"When the next step is due (Unix milliseconds); absent without one"`
}

// SplitEnd is how a split ended.
type SplitEnd struct {
	Deployment DeploymentID `json:"deploymentId" doc:"The deployment that had a share"`
	Version    string       `json:"version" doc:"Its version label"`
	Weight     int          `json:"weight" doc:"Percentage that it had last"`
	Reason     SplitReason  `json:"reason" enum:"completed,canceled,replaced,regressed" doc:"completed: it became live; canceled: by a user; replaced: by another release; regressed: by the guard"`
	Evidence   *Evidence    `json:"evidence,omitempty" doc:"What both deployments answered during the split; absent where it was not counted"`
}

// SplitReason is why a split ended.
type SplitReason string

// The reasons.
const (
	SplitCompleted SplitReason = "completed"
	SplitCanceled  SplitReason = "canceled"
	SplitReplaced  SplitReason = "replaced"
	SplitRegressed SplitReason = "regressed"
)

// Evidence is what the two deployments of a split answered over the same time.
type Evidence struct {
	Seconds   int64      `json:"seconds" doc:"How long both were observed; a restart of the server begins again"`
	Live      SplitShare `json:"live" doc:"The live deployment"`
	Candidate SplitShare `json:"candidate" doc:"The other one"`
	Finding   Finding    `json:"finding,omitempty" enum:"errors,latency,alarm" doc:"What is worse; absent when nothing is. alarm: an alarm of the platform fired"`
	Message   string     `json:"message,omitempty" doc:"The same in words"`
}

// SplitShare counts the requests that the functions of a deployment answered. Static files and
// stored answers are not counted.
type SplitShare struct {
	Requests int64 `json:"requests" doc:"Answered by functions; static files and stored answers are not counted"`
	Errors   int64 `json:"errors" doc:"Of these, with a status of 5xx or broken off by the function"`
	Slow     int64 `json:"slow" doc:"Of these, slower than the guard's threshold"`
	P95MS    int64 `json:"p95Ms" doc:"95 of 100 took at most so many milliseconds"`
}

// Finding is in what a deployment is worse than another.
type Finding string

// The findings.
const (
	WorseErrors  Finding = "errors"
	WorseLatency Finding = "latency"
	FiredAlarm   Finding = "alarm" // of the platform, see Settings.Alarms
)

// The bounds of a plan.
const (
	maxSplitSteps = 20
	minSplitEvery = time.Second
	maxSplitEvery = 7 * 24 * time.Hour
)

// CheckSplitPlan refuses a plan that cannot be followed.
func CheckSplitPlan(p SplitPlan) error {
	if p.Weight < 1 || p.Weight > 99 {
		return badSplit("a weight of %d %% is out of range", p.Weight).Hintf("Use 1 to 99. To send all traffic to a deployment, leave the weight out.")
	}
	if len(p.Then) > maxSplitSteps {
		return badSplit("a split of %d steps is too long", len(p.Then)).Hintf("Use at most %d steps.", maxSplitSteps)
	}
	before := p.Weight
	for _, weight := range p.Then {
		if weight <= before || weight > 100 {
			return badSplit("a step to %d %% cannot follow one of %d %%", weight, before).Hintf("Weights rise from step to step, up to 100.")
		}
		before = weight
	}
	every := time.Duration(p.EverySeconds) * time.Second
	switch {
	case len(p.Then) == 0 && every != 0:
		return badSplit("the split has a time between steps and no steps").Hintf("Add the weights of the next steps, such as 50 and 100.")
	case len(p.Then) > 0 && (p.EverySeconds > int64(maxSplitEvery/time.Second) || every < minSplitEvery):
		return badSplit("%d seconds between the steps of a split are out of range", p.EverySeconds).Hintf("Use 1 second to 7 days.")
	}
	return nil
}

func badSplit(format string, args ...any) *Error { return Invalid("bad_split", format, args...) }

// NextStep returns the split after its next step, which is taken at now, and whether it is the last one,
// with which the deployment gets all traffic.
func (s Split) NextStep(now time.Time) (next Split, complete bool) {
	next = s
	next.Weight, next.Then = s.Then[0], s.Then[1:]
	next.schedule(now)
	return next, next.Weight == 100
}

// schedule sets when the next step is due.
func (s *Split) schedule(now time.Time) {
	s.NextAt = 0
	if len(s.Then) == 0 {
		s.Then = nil
		return
	}
	s.NextAt = now.Add(time.Duration(s.EverySeconds) * time.Second).UnixMilli()
}

// NewSplit returns the split of a plan that begins at now.
func NewSplit(p SplitPlan, d Deployment, now time.Time) Split {
	s := Split{SplitPlan: p, Deployment: d.ID, Version: d.Version, StartedAt: now.UnixMilli()}
	s.schedule(now)
	return s
}
