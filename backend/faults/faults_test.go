package faults_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/faults"
)

func TestParse_RefusesRulesThatMakeNoSense(t *testing.T) {
	for text, says := range map[string]string{
		"rules: [{route: POST /api/v1/jobs, count: 1}]":                                 "answer must name",
		"rules: [{route: POST /api/v1/jobs, answer: {status: 503}}]":                    "exactly one of",
		"rules: [{route: POST /api/v1/jobs, count: 1, nth: 1, answer: {status: 503}}]":  "exactly one of",
		"rules: [{route: /api/v1/jobs, count: 1, answer: {status: 503}}]":               "a method and a path",
		"rules: [{route: POST jobs, count: 1, answer: {status: 503}}]":                  "a method and a path",
		"rules: [{route: 'POST /[', count: 1, answer: {status: 503}}]":                  "a method and a path",
		"rules: [{route: POST /x, probability: 1.5, answer: {status: 503}}]":            "0 to 1",
		"rules: [{route: POST /x, count: 1, answer: {status: 200}}]":                    "400 to 599",
		"rules: [{route: POST /x, count: 1, answer: {status: 503, lose_reply: true}}]":  "exclude",
		"rules: [{route: POST /x, count: 1, answer: {stauts: 503}}]":                    "stauts",
		"rules: [{route: POST /x, events: '*', count: 1, answer: {drop: true}}]":        "exclude",
		"rules: [{events: '*', slot: '*', count: 1, answer: {drop: true}}]":             "exclude",
		"rules: [{events: '*', count: 1, answer: {status: 503}}]":                       "drop, duplicate",
		"rules: [{events: '*', count: 1, answer: {drop: true, delay: 1s}}]":             "drop, duplicate",
		"rules: [{events: '*', count: 1, answer: {drop: true, reorder: true}}]":         "drop, duplicate",
		"rules: [{events: '*', answer: {drop: true}}]":                                  "exactly one of",
		"rules: [{route: POST /x, count: 1, answer: {drop: true}}]":                     "nothing for events",
		"rules: [{route: POST /x, count: 1, answer: {status: 503, after: 1s}}]":         "nothing for events",
		"rules: [{slot: a, count: 1, answer: {after: 1s}}]":                             "fill",
		"rules: [{slot: a, count: 1, answer: {fill: x, after: -1s}}]":                   "negative",
		"rules: [{slot: a, count: 1, answer: {fill: .nan}}]":                            "JSON",
		"rules: [{slot: a, count: 1, answer: {fill: x, lose_reply: true}}]":             "fill",
		"rules: [{job: md, count: 1, answer: {stuck: true}}]":                           "a source and a target",
		"rules: [{job: md html, count: 1, answer: {slow: -1s}}]":                        "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {stuck: true, fail: X}}]":             "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {stuck: true, status: 503}}]":         "exactly one of slow",
		"rules: [{job: md html, route: POST /x, count: 1, answer: {stuck: true}}]":      "exclude",
		"rules: [{route: POST /x, count: 1, answer: {stuck: true}}]":                    "nothing for events",
		"rules: [{route: POST /x, count: 1, answer: {status: 503, envelope: xml}}]":     "detail, empty, error, flat, html, list, text",
		"rules: [{route: POST /x, count: 1, answer: {delay: 1s, envelope: list}}]":      "belong to a status",
		"rules: [{route: GET /x, count: 1, answer: {trickle: -1}}]":                     "bytes a second",
		"rules: [{route: GET /x, count: 1, answer: {trickle: 9, short_body: true}}]":    "exclude",
		"rules: [{job: md html, count: 1, answer: {delay: 1s}}]":                        "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {status: 429, delay: 1s}}]":           "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {status: 429, slow: 1s}}]":            "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {wrong_size: 1, retry_after: 1}}]":    "exactly one of slow",
		"rules: [{job: md html, count: 1, answer: {status: 200}}]":                      "400 to 599",
		"rules: [{job: md html, count: 1, answer: {status: 429, envelope: xml}}]":       "detail, empty",
		"rules: [{route: GET /api/v1/x, count: 1, answer: {corrupt_body: true}}]":       "downloads",
		"rules: [{route: '* /**', count: 1, answer: {corrupt_body: true}}]":             "downloads",
		"rules: [{route: GET /x, count: 1, answer: {wrong_size: 1, short_body: true}}]": "exclude",
		"rules: [{route: GET /x, above: -1, answer: {status: 429}}]":                    "negative",
		"rules: [{route: GET /x, above: 1, count: 1, answer: {status: 429}}]":           "exactly one of",
		"rules: [{events: '*', above: 1, answer: {drop: true}}]":                        "requests and jobs",
		"rules: [{slot: a, above: 1, answer: {fill: x}}]":                               "requests and jobs",
		"rules: [{goal: binder, count: 1, answer: {slow: 1s}}]":                         "must be stuck: true",
		"rules: [{goal: binder, count: 1, answer: {stuck: true, delay: 1s}}]":           "must be stuck: true",
		"rules: [{goal: binder, above: 1, answer: {stuck: true}}]":                      "requests and jobs",
		"rules: [{goal: binder, job: md html, count: 1, answer: {stuck: true}}]":        "exclude",
		"rules: [{route: GET /x, count: 1, answer: {delay: 1s, details: {a: 1}}}]":      "belong to a status",
		"rules: [{route: GET /x, count: 1, answer: {status: 402, details: {a: .nan}}}]": "JSON",
		"rulse: []": "rulse",
		"rules: [{route: POST /x, count: one, answer: {status: 503}}]": "line 1",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := faults.Parse([]byte(text))
			require.ErrorContains(t, err, says)
		})
	}
	_, err := faults.Load(filepath.Join(t.TempDir(), "none.yaml"))
	require.Error(t, err)
}

func FuzzParseFaults(f *testing.F) {
	f.Add([]byte("seed: 1\nrules: [{route: POST /x, count: 1, answer: {status: 503, delay: 1s}}]"))
	f.Add([]byte("rules: [{route: '* /**', probability: 0.3, answer: {lose_reply: true}}]"))
	f.Add([]byte("rules: [{job: md *, above: 4, answer: {status: 429}}, {route: GET /storage/**, above: 1, answer: {corrupt_body: true}}]"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = faults.Parse(data) })
}
