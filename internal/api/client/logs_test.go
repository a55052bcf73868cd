package client_test

import (
	"context"
	"errors"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/client"
)

func TestFollowLogs_ContinuesWithNewLines(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	c := client.New(apitest.Serve(t, a.Services(), api.Options{}, nil), apitest.AdminToken)
	_, manifest := tree(t, 1)
	id := startShop(t, c, manifest).Deployment.ID
	must(t, a.Log(id, "info", "older"))
	must(t, a.Log(id, "info", "before"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var got []string
	for line, err := range c.FollowLogs(ctx, "shop", anchor.LogFilter{Deployment: id}, 1) {
		if err != nil {
			if !errors.Is(err, context.Canceled) || ctx.Err() == nil {
				t.Errorf("following ended with %v", err)
			}
			break
		}
		got = append(got, line.Text)
		switch line.Text {
		case "before":
			must(t, a.Log(id, "error", "after"))
		case "after":
			stop()
		}
	}
	if len(got) != 2 || got[0] != "before" || got[1] != "after" {
		t.Errorf("the lines are %q", got)
	}
}
