package worker

import (
	"fmt"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// wallsOf returns the walls of the pool, with the control group of its project.
func (p *Pool) wallsOf() jail.Walls {
	if p.spec.Group == nil {
		return p.spec.Walls
	}
	return p.spec.Walls.Within(p.spec.Group.Members())
}

// processLimits returns the limits of one process. Where the project's group cannot enforce a limit for
// all of them, it applies to each.
func (p *Pool) processLimits() jail.Limits {
	l := jail.Limits{Processes: p.maxProcesses(), Files: maxFiles, Data: maxData + uint64(p.heapMB())<<20, Tmp: maxTmp}
	if p.spec.Group == nil {
		return l
	}
	unheld := p.spec.Group.Unheld()
	if unheld.Memory > 0 {
		l.Data = min(l.Data, uint64(unheld.Memory))
	}
	if unheld.Processes > 0 && l.Processes > 0 {
		l.Processes = min(l.Processes, uint64(unheld.Processes))
	}
	return l
}

// heapMB returns the limit of the JavaScript heap of a process, or 0 when Node.js decides. V8
// cannot see the project's limit. Under its own limit, which leaves a quarter for the rest of the
// process, it collects garbage instead of being killed.
func (p *Pool) heapMB() int {
	heap := p.spec.MaxMemoryMB
	if p.spec.Group == nil {
		return heap
	}
	if memory := p.spec.Group.Limits().Memory; memory > 0 {
		below := int(memory >> 20 * 3 / 4)
		if heap <= 0 || below < heap {
			return below
		}
	}
	return heap
}

// killedForMemory returns a text when the kernel killed a process at the project's memory limit,
// else "". Call it once, when the process is gone.
func (p *Pool) killedForMemory(pr *process) string {
	group := p.spec.Group
	if group == nil || pr.outcomeOf().Code != -1 || !group.TakeKill() {
		return ""
	}
	return fmt.Sprintf("killed: the project reached its memory limit of %d MiB; anchor limits shows what it takes", group.Limits().Memory>>20)
}
