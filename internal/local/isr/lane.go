package isr

import "slices"

// page is the page of a message; only one message per page and namespace waits at a time.
type page struct{ host, url string }

func (m Message) pageOf() page { return page{m.Host, m.URL} }

// job is a message on its way.
type job struct {
	Message
	ns       string
	lane     *lane
	group    *group
	attempts int
}

// group is a line of jobs of which one runs at a time.
type group struct {
	id   string
	line []*job
	busy bool
}

// lane holds the waiting jobs of one namespace.
type lane struct {
	ns      string
	groups  []*group // in turn order
	pages   map[page]bool
	running int
}

func (l *lane) countWaiting() int { return len(l.pages) }

func (l *lane) push(j *job) {
	j.lane, j.group = l, l.groupOf(j.GroupID)
	j.group.line = append(j.group.line, j)
	l.pages[j.pageOf()] = true
}

func (l *lane) groupOf(id string) *group {
	for _, g := range l.groups {
		if g.id == id {
			return g
		}
	}
	g := &group{id: id}
	l.groups = append(l.groups, g)
	return g
}

// parkJob marks a job's page as waiting while its retry is due later.
func (l *lane) parkJob(j *job) { l.pages[j.pageOf()] = true }

// takeJob removes the first job of the first group that has one and is not busy, and moves that group
// to the end.
func (l *lane) takeJob() *job {
	i := slices.IndexFunc(l.groups, func(g *group) bool { return !g.busy && len(g.line) > 0 })
	if i < 0 {
		return nil
	}
	g := l.groups[i]
	l.groups = append(slices.Delete(l.groups, i, i+1), g)
	j := g.line[0]
	g.line, g.busy = g.line[1:], true
	delete(l.pages, j.pageOf())
	l.running++
	return j
}

func (l *lane) jobDone(j *job) {
	j.group.busy = false
	l.running--
	if len(j.group.line) == 0 {
		l.groups = slices.DeleteFunc(l.groups, func(g *group) bool { return g == j.group })
	}
}

// lanes are the namespaces that have jobs, in turn order.
type lanes struct {
	byNS map[string]*lane
	turn []*lane
}

func (ls *lanes) laneOf(ns string) *lane {
	if l, ok := ls.byNS[ns]; ok {
		return l
	}
	l := &lane{ns: ns, pages: map[page]bool{}}
	ls.byNS[ns] = l
	ls.turn = append(ls.turn, l)
	return l
}

// next takes a job from the first namespace in turn that may run one more, and moves that namespace
// to the end.
func (ls *lanes) next(runningPerNS int) *job {
	for i, l := range ls.turn {
		if l.running >= runningPerNS {
			continue
		}
		if j := l.takeJob(); j != nil {
			ls.turn = append(slices.Delete(ls.turn, i, i+1), l)
			return j
		}
	}
	return nil
}

// removeIfEmpty removes a lane that has nothing left.
func (ls *lanes) removeIfEmpty(l *lane) {
	if l.running == 0 && len(l.pages) == 0 {
		ls.removeLane(l)
	}
}

func (ls *lanes) removeLane(l *lane) {
	delete(ls.byNS, l.ns)
	ls.turn = slices.DeleteFunc(ls.turn, func(other *lane) bool { return other == l })
}
