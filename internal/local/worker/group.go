package worker

import (
	"fmt"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// walls are those of the pool, around the group of its project.
func (p *Pool) walls() jail.Walls {
	if p.spec.Group == nil {
		return p.spec.Walls
	}
	return p.spec.Walls.Within(p.spec.Group.Members())
}

// limits bound one process. What the project's group cannot hold for all of them, it holds for each.
func (p *Pool) limits() jail.Limits {
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

// heapMB is the limit of the JavaScript heap of a process, 0 when Node.js decides. V8 cannot see the project's limit:
// under one of its own, which leaves a quarter for the rest of the process, it collects garbage instead of being killed.
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

// killedForMemory says that the kernel ended a process at the project's memory limit; empty when it did not. Call it
// once, when the process is gone.
func (p *Pool) killedForMemory(pr *process) string {
	group := p.spec.Group
	if group == nil || pr.outcome().Code != -1 || !group.TakeKill() {
		return ""
	}
	return fmt.Sprintf("killed: the project reached its memory limit of %d MiB; anchor limits shows what it takes", group.Limits().Memory>>20)
}
