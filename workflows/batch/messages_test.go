package batch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A batch that began under an earlier version continues as new under this one: what it carries over is written as then.
func TestState_JSON(t *testing.T) {
	const at = `"2026-11-24T09:00:00Z"`
	const item = `{"item":{"i":3,"source":"a.md","size":10,"mtime":` + at + `,"from":"md","dest":"a","was":"X"},"again":true,"file_id":"file-3","job_id":"job-3",` +
		`"finished":true,"round":2,"attempts":4,"refused":3,"asked":2,"unsure":true,"size":10,"sha256":"aa","started_at":` + at + `}`
	const state = `{
		"queue":[{"path":"/p","offset":5,"end":9,"again":true,"items":2}],
		"page":[` + item + `],
		"flights":[` + item + `],
		"parts":1,
		"retries":[{"codes":["X"],"by":"ada","note":"n","shards":[1,2]}],
		"tally":{"completed":1,"failed":2,"cancelled":3,"warnings":4,"bytes_in":5,"bytes_out":6,
			"groups":[{"code":"X","count":1,"example":"e"}],
			"recent":[{"index":3,"name":"n","step":"upload","code":"X","message":"m","at":` + at + `}]},
		"pace":{"size":8,"limit":50,"refused":7,"deaf":6,
			"round":{"files":1,"refused":2,"seconds":3,"last":` + at + `},
			"wide":{"size":8,"refused":0.5,"seconds":1},"usual":0.1,"narrowed":true},
		"series":{"from":` + at + `,"width":5000000000,"counts":[1,2]},
		"ledger":{},
		"paused":"p","stopped":"s","given_up":true,"started_at":` + at + `,"runs":2,"largest":9,"mended":1,"split":true,"told":2
	}`
	tests := map[string]struct {
		into any
		json string
	}{
		"state":          {new(State), state},
		"shard's brief":  {new(shardBrief), `{"number":1,"offset":2,"again":true,"orders":{"concurrency":3,"paused":"p","stopped":"s","given_up":true,"mended":4},"tell_failures":5}`},
		"shard's report": {new(shardReport), `{"number":1,"trouble":{"step":"s","kind":"k","code":"c","message":"m","attempts":1},"mended":2,"failed":3}`},
		"shard's result": {new(ShardResult), `{"tally":{},"refused":1,"series":{},"runs":2,"largest":3}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			decoder := json.NewDecoder(strings.NewReader(test.json))
			decoder.DisallowUnknownFields()
			require.NoError(t, decoder.Decode(test.into))
			again, err := json.Marshal(test.into)
			require.NoError(t, err)
			assert.JSONEq(t, test.json, string(again))
		})
	}
}
