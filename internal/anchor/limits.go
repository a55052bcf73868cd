package anchor

// Limits bound what a project's processes take together. Zero sets no limit.
type Limits struct {
	MemoryBytes int64 `json:"memoryBytes,omitempty" doc:"Bytes of memory; 0 or absent: no limit"`
	CPUMillis   int64 `json:"cpuMillis,omitempty" doc:"Thousandths of a processor core; 0 or absent: no limit"`
	Processes   int64 `json:"processes,omitempty" doc:"Processes and threads; 0 or absent: no limit"`
}

// The smallest and largest limits. One Node.js process takes some 45 MB before it runs an app's code, and about 20
// threads together with its init process.
const (
	minMemory    = 64 << 20
	maxMemory    = 64 << 40
	minCPU       = 50
	maxCPU       = 1_000_000
	minProcesses = 64
	maxProcesses = 1_000_000
)

// CheckLimits refuses limits under which no worker starts, and those that no machine reaches.
func CheckLimits(l Limits) error {
	for _, bound := range []struct {
		value, least, most int64
		what, hint         string
	}{
		{l.MemoryBytes, minMemory, maxMemory, "a memory limit of %d bytes", "Use 64M to 64T; Node.js does not start with less."},
		{l.CPUMillis, minCPU, maxCPU, "a processor limit of %d thousandths of a core", "Use 0.05 to 1000 cores."},
		{l.Processes, minProcesses, maxProcesses, "a limit of %d processes and threads", "Use 64 to 1000000; one Node.js process has about 20 threads."},
	} {
		if bound.value != 0 && (bound.value < bound.least || bound.value > bound.most) {
			return Invalid("bad_limits", bound.what+" is out of range", bound.value).Hintf("%s", bound.hint)
		}
	}
	return nil
}

// Reach is what a limit is enforced for.
type Reach string

// The values of Reach.
const (
	ReachProject Reach = "project" // all processes of the project together
	ReachProcess Reach = "process" // each process by itself
	ReachNone    Reach = "none"    // nothing
)

// ProjectLimits are a project's limits, how the server enforces them, and what the project takes now.
type ProjectLimits struct {
	Limits   Limits      `json:"limits" doc:"What is set"`
	Enforced Enforcement `json:"enforced"`
	Usage    LimitUsage  `json:"usage"`
}

// Enforcement is, for each kind of limit, the Reach that it is enforced for.
type Enforcement struct {
	Memory    Reach  `json:"memory" enum:"project,process,none" doc:"project: for all its processes together; process: for each by itself"`
	CPU       Reach  `json:"cpu" enum:"project,process,none"`
	Processes Reach  `json:"processes" enum:"project,process,none"`
	Why       string `json:"why,omitempty" doc:"Why not all are enforced for the project"`
	Hint      string `json:"hint,omitempty" doc:"What to do about it"`
}

// Whole reports whether every limit is enforced for the project.
func (e Enforcement) Whole() bool {
	return e.Memory == ReachProject && e.CPU == ReachProject && e.Processes == ReachProject
}

// LimitUsage is what a project uses. Fields that the server cannot count are zero.
type LimitUsage struct {
	MemoryBytes int64 `json:"memoryBytes" doc:"Cached files included"`
	Processes   int64 `json:"processes" doc:"And threads"`
	MemoryKills int64 `json:"memoryKills" doc:"Processes killed at the memory limit since the server started"`
}
