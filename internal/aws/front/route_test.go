package front_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

func TestSplit_FitsStore(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", 994), strings.Repeat("x", 995), strings.Repeat("ä😀", 1500), strings.Repeat(`"\`, 3000)} {
		parts, err := front.Split("k", text)
		if err != nil {
			t.Fatal(err)
		}
		var whole strings.Builder
		for i, key := range slices.SortedFunc(maps.Keys(parts), func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }) {
			part := parts[key]
			if len(part) > 1000 {
				t.Errorf("the value of %s has %d octets", key, len(part))
			}
			if i == 0 {
				n, rest, _ := strings.Cut(part, ":")
				if want, _ := json.Marshal(len(parts)); n != string(want) {
					t.Errorf("the first of %s parts says %s", want, n)
				}
				part = rest
			}
			whole.WriteString(part)
		}
		var back string
		if err := json.Unmarshal([]byte(whole.String()), &back); err != nil || back != text {
			t.Errorf("%.20q… comes back as %.20q… (%v)", text, back, err)
		}
	}
}

func TestSplit_RefusesTooMuch(t *testing.T) {
	_, err := front.Split("k", strings.Repeat("x", 50_000))
	if anchor.KindOf(err) != anchor.KindTooLarge {
		t.Errorf("it says %v", err)
	}
}

func TestCovers(t *testing.T) {
	want := &types.DistributionConfig{
		Comment: sdk.String("ours"), Enabled: sdk.Bool(true),
		Origins:              &types.Origins{Quantity: sdk.Int32(2), Items: []types.Origin{{Id: sdk.String("a"), OriginPath: sdk.String("")}, {Id: sdk.String("b")}}},
		DefaultCacheBehavior: &types.DefaultCacheBehavior{AllowedMethods: &types.AllowedMethods{Items: []types.Method{"GET", "HEAD"}}},
	}
	have := func() *types.DistributionConfig {
		return &types.DistributionConfig{
			Comment: sdk.String("ours"), Enabled: sdk.Bool(true), WebACLId: sdk.String("theirs"),
			Origins:              &types.Origins{Quantity: sdk.Int32(2), Items: []types.Origin{{Id: sdk.String("b")}, {Id: sdk.String("a"), ConnectionAttempts: sdk.Int32(3)}}},
			DefaultCacheBehavior: &types.DefaultCacheBehavior{AllowedMethods: &types.AllowedMethods{Items: []types.Method{"HEAD", "GET"}}},
		}
	}
	if !front.Covers(want, have()) {
		t.Error("defaults, what others set and the order count")
	}
	for name, change := range map[string]func(*types.DistributionConfig){
		"a string":       func(c *types.DistributionConfig) { c.Comment = sdk.String("else") },
		"a missing bool": func(c *types.DistributionConfig) { c.Enabled = nil },
		"a path":         func(c *types.DistributionConfig) { c.Origins.Items[1].OriginPath = sdk.String("/x") },
		"a longer list":  func(c *types.DistributionConfig) { c.Origins.Items = append(c.Origins.Items, types.Origin{}) },
		"a method":       func(c *types.DistributionConfig) { c.DefaultCacheBehavior.AllowedMethods.Items[0] = "PUT" },
		"no behavior":    func(c *types.DistributionConfig) { c.DefaultCacheBehavior = nil },
	} {
		c := have()
		if change(c); front.Covers(want, c) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
