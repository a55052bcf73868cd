package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestReadCalls(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", awsCalls))
	if err != nil {
		t.Fatal(err)
	}
	all, err := readCalls(string(text))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(o operation) bool { return o.name == "rollback" })
	if i < 0 || all[i].calls < 1 || all[i].serial < 1 {
		t.Errorf("of a rollback it reads nothing: %+v", all)
	}
	got, err := readCalls("deploy: functions: 57 calls, and looks whether Lambda is done\n  S3.PutObject    2\nremove: 29 calls, 23 one after another\n")
	if want := []operation{{"deploy: functions", 57, 0}, {"remove", 29, 23}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("it reads %+v (%v), want %+v", got, err, want)
	}
	if _, err := readCalls("rollback: some calls\n"); err == nil {
		t.Error("it reads a line without a count")
	}
}
