package git

import (
	"context"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// AllowRewrite is the option of git push that lets it replace or delete the production branch.
const AllowRewrite = "allow-rewrite"

// Check refuses a push that changes what it must not. It needs the objects of the push, see
// KeepObjects.
func (p Push) Check(ctx context.Context, production string) error {
	built := 0
	for _, u := range p.Updates {
		switch {
		case !strings.HasPrefix(u.Ref, branchRefs) && !strings.HasPrefix(u.Ref, tagRefs):
			return anchor.Invalid("bad_ref", "%s is neither a branch nor a tag", u.Ref).
				Hintf("Push a branch: git push anchor BRANCH")
		case len(u.Branch()) > maxBranch:
			return anchor.Invalid("bad_branch", "the name of the branch %s has more than %d characters", u.Branch(), maxBranch).
				Hintf("Choose a shorter branch name.")
		case u.Branch() == production:
			if err := p.checkProduction(ctx, u); err != nil {
				return err
			}
		}
		if u.Branch() != "" && u.New != "" {
			built++
		}
	}
	if most := p.Repository.store.Branches; built > most {
		return anchor.Invalid("too_many_branches", "the push changes %d branches; at most %d are built at a time", built, most).
			Hintf("Push the branches that you want to see, one at a time: git push anchor BRANCH")
	}
	return nil
}

// maxBranch is the length of a branch's name in the records.
const maxBranch = 255

func (p Push) checkProduction(ctx context.Context, u Update) error {
	if u.Old == "" || p.HasOption(AllowRewrite) {
		return nil
	}
	if u.New == "" {
		return anchor.Conflict("production_branch", "%s is the production branch and cannot be deleted", u.Branch()).
			Hintf("To delete it anyway, push with -o %s. The live deployment stays live.", AllowRewrite)
	}
	forward, err := p.Repository.Contains(ctx, u.New, u.Old)
	if err != nil || forward {
		return err
	}
	return anchor.Conflict("production_rewrite", "the push would replace commits of %s, the production branch", u.Branch()).
		Hintf("Pull and merge first. To replace its history, push with --force -o %s.", AllowRewrite)
}
