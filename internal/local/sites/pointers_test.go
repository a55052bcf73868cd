package sites

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestPointerCopies_LastOfEachProject(t *testing.T) {
	c := newPointerCopies(Folder(t.TempDir()))
	if err := c.folder.makeFolders(); err != nil {
		t.Fatal(err)
	}
	const shop, blog = anchor.ProjectID("01jd0000000000000000000000"), anchor.ProjectID("01jd0000000000000000000001")
	for revision := range int64(20) {
		c.keep(anchor.Live{ProjectID: shop, Revision: revision + 1})
		c.keep(anchor.Live{ProjectID: blog, Revision: revision + 1})
	}
	if err := c.drop(blog); err != nil {
		t.Fatal(err)
	}
	c.close()
	all, err := c.folder.Pointers()
	if err != nil || len(all) != 1 || all[shop].Revision != 20 {
		t.Errorf("%+v, %v; want revision 20 of one project", all, err)
	}
}
