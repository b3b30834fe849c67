package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
)

// open brings the stack up in this process, to look into it; faults, if any, is YAML.
func (b *bench) open(faults string) *stack {
	b.t.Helper()
	m := &standalone{dir: b.data}
	if faults != "" {
		m.faults = b.write("faults.yaml", faults)
	}
	o, err := m.options(func(string) string { return "" })
	require.NoError(b.t, err)
	s, err := openStack(context.WithoutCancel(b.t.Context()), o, func(text string) { b.t.Log(text) })
	require.NoError(b.t, err)
	b.t.Cleanup(s.close)
	return s
}

func (s *stack) apiClient(t *testing.T) *client.Client {
	t.Helper()
	key, err := s.apiKey()
	require.NoError(t, err)
	api, err := client.New(s.at.API, key)
	require.NoError(t, err)
	t.Cleanup(api.CloseIdleConnections)
	return api
}

// jobs counts the jobs of the conversion service.
func (b *bench) jobs() int {
	b.t.Helper()
	page, err := b.open("").apiClient(b.t).Convert.List(b.t.Context(), client.ListParams{Limit: 1})
	require.NoError(b.t, err)
	return page.Total
}

// checkOutputs wants one whole output of each document, and nothing else.
func (b *bench) checkOutputs(documents int) {
	b.t.Helper()
	entries, err := os.ReadDir(b.out)
	require.NoError(b.t, err)
	require.Len(b.t, entries, documents, "one output a document, and no part of any")
	for i := range documents {
		data, err := os.ReadFile(filepath.Join(b.out, fmt.Sprintf("doc-%02d.html", i)))
		require.NoError(b.t, err)
		assert.Contains(b.t, string(data), fmt.Sprintf(">Document %d</h1>", i))
		assert.Contains(b.t, string(data), fmt.Sprintf("%d times Ærø", i*i))
		assert.True(b.t, strings.HasSuffix(strings.TrimSpace(string(data)), "</html>"), "whole")
	}
}

func TestFaultsOnEveryRoute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	faults := b.write("faults.yaml", `
seed: 11
rules:
  - {route: "* /**", probability: 0.05, answer: {lose_reply: true}}
  - {route: "GET /**", probability: 0.05, answer: {cut_body: true}}
  - {route: "* /**", probability: 0.3, answer: {status: 503}}
`)
	const files = 50
	args := append([]string{"convert", "--to", "html", "-o", b.out, "--json", "--faults", faults}, b.documents(files)...)
	code, stdout, stderr := b.run(args...)
	require.Equal(t, 0, code, stderr)
	all := results(t, stdout)
	require.Len(t, all, files)
	tried := 0
	for _, r := range all {
		require.Equal(t, "completed", r.Status)
		tried = max(tried, r.Attempts)
	}
	assert.Greater(t, tried, 1, "the faults did strike")
	b.checkOutputs(files)
	assert.Equal(t, files, b.jobs())
}

func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const files = 50
	args := append([]string{"convert", "--to", "html", "-o", b.out, "--json"}, b.documents(files)...)
	for _, lines := range []int{5, 12, 25} {
		b.killAfter(lines, args...)
	}
	code, stdout, stderr := b.run(args...)
	require.Equal(t, 0, code, stderr)
	all := results(t, stdout)
	require.Len(t, all, files)
	for _, r := range all {
		require.Equal(t, "completed", r.Status, "%+v", r)
	}
	b.checkOutputs(files)
	assert.Equal(t, files, b.jobs(), "every file was converted once")
}
