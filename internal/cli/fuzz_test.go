package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// FuzzAnswer: whatever is typed becomes JSON or a fault; a choice is always one of those offered.
func FuzzAnswer(f *testing.F) {
	for _, kind := range append(slot.Types(), "other") {
		f.Add(string(kind), "2")
		f.Add(string(kind), "Red, Green, dark")
		f.Add(string(kind), "@/no/such/file")
	}
	f.Add("number", "1e400")
	f.Add("number", "0x1p-2")
	f.Fuzz(func(t *testing.T, kind, text string) {
		q := question("q", slot.Type(kind))
		q.Options = colours
		value, err := parseValue(q.Slot, text)
		if err != nil {
			return
		}
		require.True(t, json.Valid(value), "%q", value)
		if kind == "choice" {
			var one string
			require.NoError(t, json.Unmarshal(value, &one))
			offered := false
			for _, option := range colours {
				offered = offered || option.Value == one
			}
			require.True(t, offered, "%q chose %q", text, one)
		}
	})
}

// FuzzPolicies: a file of policies is read as a run would read it, or refused.
func FuzzPolicies(f *testing.F) {
	for _, seed := range []string{
		"default: {remind_after: 24h}\nslots:\n  day: {deadline: 1h, on_deadline: default, default: 2026-01-02}\n", `{"default":{"accept_above":0.5}}`, "", "null", "[]", "7",
		"default: {accept_above: .nan}", "default: {remind_after: -1h}", "slots: {a: {default: [1, {b: null}]}}", "a: &a [*a]", "default: &a\n  default: *a", "slots: {? [x] : {}}",
		"default: {default: !!binary AA==}", "default: {default: {1: 2}}", "default: {deadline: 1h}\ndefault: {deadline: 2h}", "default: {<<: {deadline: 1h}}", "\xff\x00", "slots: 7",
		"a: &a {b: &b [x, x, x, x]}\nc: [*b, *b, *b, *b]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePolicies(data)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		written, err := json.Marshal(p)
		require.NoError(t, err)
		var read questions.Policies
		require.NoError(t, json.Unmarshal(written, &read))
		again, err := json.Marshal(read)
		require.NoError(t, err)
		require.Equal(t, string(written), string(again), "a run reads other policies")
		for name, policy := range p.Slots {
			if len(policy.Default) > 0 {
				require.True(t, json.Valid(policy.Default), "%s: %s", name, policy.Default)
			}
			require.True(t, policy.RemindAfter >= 0 && policy.Deadline >= 0 && policy.EscalateAfter >= 0 && policy.AcceptAfter >= 0)
		}
	})
}
