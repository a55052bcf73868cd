package mcp_test

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/mcp"
	"github.com/anchor-deploy/anchor/internal/local/errorgroup"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

// connect returns a session of a client of the protocol with a server that has one project.
func connect(t *testing.T, token string, o mcp.Options) *sdk.ClientSession {
	t.Helper()
	groups, err := errorgroup.Open(t.Context(), filepath.Join(t.TempDir(), "errors.db"), slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, groups.Close()) })
	a := apitest.New(t, apitest.Options{OnLine: groups.Add})
	services := a.Services()
	services.Errors = groups
	_, err = services.Projects.Create(t.Context(), "shop", "main")
	must(t, err)
	base := apitest.Serve(t, services, api.Options{Version: "test"}, nil)
	server := mcp.New(client.New(base, token), o)
	here, there := sdk.NewInMemoryTransports()
	serving, err := server.Connect(t.Context(), there, nil)
	must(t, err)
	t.Cleanup(func() { _ = serving.Close() })
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), here, nil)
	must(t, err)
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func tools(t *testing.T, s *sdk.ClientSession) (all []*sdk.Tool) {
	t.Helper()
	for tool, err := range s.Tools(t.Context(), nil) {
		must(t, err)
		all = append(all, tool)
	}
	return all
}

func TestTools_ReadByDefault(t *testing.T) {
	for _, tool := range tools(t, connect(t, apitest.AdminToken, mcp.Options{})) {
		if !tool.Annotations.ReadOnlyHint {
			t.Errorf("%s changes something", tool.Name)
		}
		if tool.Description == "" || tool.InputSchema == nil {
			t.Errorf("%s has no description or schema", tool.Name)
		}
	}
	session := connect(t, apitest.AdminToken, mcp.Options{})
	if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "rollback"}); err == nil {
		t.Error("rollback is there without AllowChanges")
	}
}

// TestTools_AllAnswer calls every tool; those that need a deployment report that there is none.
func TestTools_AllAnswer(t *testing.T) {
	session := connect(t, apitest.AdminToken, mcp.Options{AllowChanges: true})
	fails := map[string]string{ // text of the error, hint included
		"get_deployment": "has no deployment", "get_build_log": "", "promote": "has no deployment",
		"rollback": "", "get_error": "anchor errors", "get_stats": "CloudWatch", "get_changes": "has no deployment",
		"share_traffic": "has no deployment", "get_split": "", "end_split": "", "purge_cache": "CloudFront", "list_crons": "",
	}
	var changing []string
	for _, tool := range tools(t, session) {
		if !tool.Annotations.ReadOnlyHint {
			changing = append(changing, tool.Name)
		}
		arguments := map[string]any{}
		schema, err := json.Marshal(tool.InputSchema)
		must(t, err)
		for name, value := range map[string]any{"project": "shop", "deployment": "01hzzzzzzzzzzzzzzzzzzzzzzz", "id": "00", "weight": 10} {
			if strings.Contains(string(schema), `"`+name+`":{`) && (name != "deployment" || fails[tool.Name] != "" || tool.Name == "get_build_log") {
				arguments[name] = value
			}
		}
		result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: tool.Name, Arguments: arguments})
		must(t, err)
		text := result.Content[0].(*sdk.TextContent).Text
		want, fail := fails[tool.Name]
		if result.IsError != fail || !strings.Contains(text, want) {
			t.Errorf("%s %v: error %v: %s", tool.Name, arguments, result.IsError, text)
		}
		if !fail && !json.Valid([]byte(text)) {
			t.Errorf("%s answers with %s", tool.Name, text)
		}
	}
	if slices.Sort(changing); !slices.Equal(changing, []string{"end_split", "promote", "purge_cache", "rollback", "share_traffic"}) {
		t.Errorf("changing: %q", changing)
	}
}

// An empty word in a call must not stand for another choice.
func TestTools_RefuseEmptyWords(t *testing.T) {
	session := connect(t, apitest.AdminToken, mcp.Options{AllowChanges: true, Project: "shop"})
	for name, c := range map[string]struct {
		arguments map[string]any
		want      string
	}{
		"promote":       {map[string]any{"deployment": ""}, "list_deployments"},
		"share_traffic": {map[string]any{"deployment": "", "weight": 10}, "list_deployments"},
		"get_changes":   {map[string]any{"deployment": ""}, "list_deployments"},
		"purge_cache":   {map[string]any{"tag": ""}, "all: true"},
	} {
		result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: c.arguments})
		must(t, err)
		if text := result.Content[0].(*sdk.TextContent).Text; !result.IsError || !strings.Contains(text, c.want) {
			t.Errorf("%s: error %v: %s", name, result.IsError, text)
		}
	}
}

// TestTools_KeepTheScope: what a tool may do is what its token may do.
func TestTools_KeepTheScope(t *testing.T) {
	session := connect(t, apitest.ReadToken, mcp.Options{AllowChanges: true, Project: "shop"})
	result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "rollback"})
	must(t, err)
	if text := result.Content[0].(*sdk.TextContent).Text; !result.IsError || !strings.Contains(text, "scope") {
		t.Errorf("error %v: %s", result.IsError, text)
	}
	session = connect(t, apitest.ReadToken, mcp.Options{})
	result, err = session.CallTool(t.Context(), &sdk.CallToolParams{Name: "get_stats"})
	must(t, err)
	if text := result.Content[0].(*sdk.TextContent).Text; !result.IsError || !strings.Contains(text, "list_projects") {
		t.Errorf("error %v: %s", result.IsError, text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
