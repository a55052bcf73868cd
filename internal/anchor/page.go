package anchor

// Page asks for a part of a list. Lists are newest first.
type Page struct {
	Limit  int    // 1 to MaxPage; 0 means DefaultPage
	Cursor string // the Next of the page before, "" for the first
}

// The sizes a page may have.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// Size returns the number of rows to read.
func (p Page) Size() int {
	switch {
	case p.Limit <= 0:
		return DefaultPage
	case p.Limit > MaxPage:
		return MaxPage
	}
	return p.Limit
}

// List is one page of rows and the cursor of the next, "" on the last.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}
