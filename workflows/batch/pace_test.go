package batch

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// playedService answers the requests of a batch in virtual time.
type playedService struct {
	capacity   int     // requests at once; those beyond are refused; 0 for no bound
	random     float64 // share of requests that are refused for no reason
	retryAfter bool    // refusals for lack of room ask to slow down
}

// playedFile is a file under way: a few requests, each tried again with the pauses of the steps.
type playedFile struct {
	at      time.Duration
	busy    bool // a request of its is with the service
	step    int
	tries   int
	refused int
	asked   int
}

type playedFiles []*playedFile

func (q playedFiles) Len() int { return len(q) }

func (q playedFiles) Less(i, j int) bool { return q[i].at < q[j].at }

func (q playedFiles) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *playedFiles) Push(f any) { *q = append(*q, f.(*playedFile)) } //nolint:forcetypeassert // heap.Push of this test

func (q *playedFiles) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// played is how a batch went.
type played struct {
	took    time.Duration
	windows []int // at each landing
	refused []int // requests of each file, in the order of landing
}

func mean(of []int) float64 {
	sum := 0
	for _, n := range of {
		sum += n
	}
	return float64(sum) / float64(len(of))
}

// play converts files at a pace.
func (s playedService) play(p pace, observe func(*pace, outcome), files int, seed uint64) played {
	random := rand.New(rand.NewPCG(seed, 1))
	var out played
	var flying playedFiles
	begun, busy := 0, 0
	for len(out.windows) < files {
		for begun < files && len(flying) < p.window() {
			begun++
			heap.Push(&flying, &playedFile{at: out.took})
		}
		f := heap.Pop(&flying).(*playedFile) //nolint:forcetypeassert // as above
		out.took = f.at
		switch {
		case f.busy:
			const steps = 4
			busy--
			f.busy, f.tries = false, 0
			if f.step++; f.step == steps {
				observe(&p, outcome{at: time.Unix(0, 0).Add(out.took), rejected: f.refused, slowDown: f.asked, underWay: len(flying)})
				out.windows, out.refused = append(out.windows, p.window()), append(out.refused, f.refused)
				continue
			}
			f.at += time.Duration(random.Int64N(int64(200 * time.Millisecond))) // Temporal hands out the next step
		case s.capacity > 0 && busy >= s.capacity:
			f.refuse(s.retryAfter)
		case random.Float64() < s.random:
			f.refuse(false)
		default:
			busy++
			f.busy = true
			f.at += 80*time.Millisecond + time.Duration(random.Int64N(int64(40*time.Millisecond)))
		}
		heap.Push(&flying, f)
	}
	return out
}

func (f *playedFile) refuse(asks bool) {
	f.refused++
	if asks {
		f.asked++
	}
	f.at += min(500*time.Millisecond<<min(f.tries, 10), 30*time.Second)
	f.tries++
}

const (
	playedFilesAll = 1000
	playedLimit    = 50
	settled        = 200 // files after which the pace should have found its way
	seeds          = 20
)

// each plays a service with several seeds, at the pace of today, and gives what the files after the first ones averaged.
func (s playedService) each() (width, refused float64) {
	for seed := range uint64(seeds) {
		p := s.play(newPace(playedLimit), (*pace).observe, playedFilesAll, seed)
		width += mean(p.windows[settled:]) / seeds
		refused += mean(p.refused[settled:]) / seeds
	}
	return width, refused
}

func TestThePaceStaysWideWhereRefusalsAreRandom(t *testing.T) {
	for _, random := range []float64{0.02, 0.05, 0.1, 0.2, 0.3, 0.4} {
		t.Run(fmt.Sprintf("random %v", random), func(t *testing.T) {
			width, _ := playedService{random: random}.each()
			t.Logf("%v refused at random: %.1f at once", random, width)
			assert.Greater(t, width, 0.7*playedLimit, "%v", random)
		})
	}
}

func TestThePaceComesNearTheCapacity(t *testing.T) {
	for _, capacity := range []int{2, 5, 10, 25} {
		t.Run(fmt.Sprintf("capacity %v", capacity), func(t *testing.T) {
			for _, asks := range []bool{false, true} {
				width, refused := playedService{capacity: capacity, retryAfter: asks}.each()
				t.Logf("capacity %d, asks to slow down: %v: %.1f at once, %.2f refusals a file", capacity, asks, width, refused)
				assert.Greater(t, width, 0.6*float64(capacity))
				assert.Less(t, width, 2.5*float64(capacity))
				assert.Less(t, refused, 0.7)
			}
		})
	}
	_, refused := playedService{capacity: 100}.each()
	assert.Zero(t, refused)
}

// The batch of 200 files that made us look: at the old pace it fell to one file at a time.
func TestRandomRefusalsNoLongerMakeABatchSlow(t *testing.T) {
	s := playedService{random: 0.3}
	for seed := range uint64(seeds) {
		before := s.play(newPace(playedLimit), (*pace).observeVersion0, 200, seed)
		now := s.play(newPace(playedLimit), (*pace).observe, 200, seed)
		assert.Less(t, 2*now.took, before.took, "seed %d", seed)
	}
}

func TestWhoeverAsksToSlowDownIsHeardAtOnce(t *testing.T) {
	p := newPace(playedLimit)
	p.Size, p.Usual, p.Wide = 40, 3, paceCost{Size: 50}
	p.observe(outcome{rejected: 1, slowDown: 1, underWay: 2})
	assert.Equal(t, 20, p.window())
	for range 2 { // these took off before
		p.observe(outcome{rejected: 1, slowDown: 1})
	}
	assert.Equal(t, 20, p.window(), "once for refusals that belong together")
	p.observe(outcome{})
	assert.Equal(t, 20, p.window(), "it grows by one a window from then on")
	assert.Greater(t, p.Size, 20.0)
}

// Whatever lands: the window keeps within its bounds, and until something is refused both ways are the same.
func TestThePaceKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPace(rapid.IntRange(1, 60).Draw(t, "limit"))
		old := p
		for range rapid.IntRange(1, 300).Draw(t, "landings") {
			if rapid.IntRange(0, 30).Draw(t, "steered") == 0 {
				limit := rapid.IntRange(0, 60).Draw(t, "new limit")
				p.bound(limit)
				old.bound(limit)
			}
			l := outcome{rejected: max(0, rapid.IntRange(-6, 3).Draw(t, "refused")), underWay: rapid.IntRange(0, 50).Draw(t, "flying")}
			l.slowDown = rapid.IntRange(0, l.rejected).Draw(t, "asked")
			p.observe(l)
			old.observeVersion0(l)
			if p.window() > p.Limit || p.window() < min(1, p.Limit) {
				t.Fatalf("a window of %d within %d", p.window(), p.Limit)
			}
			if p.Rejected == 0 && p.window() != old.window() {
				t.Fatalf("a window of %d, %d as before, and nothing was refused", p.window(), old.window())
			}
		}
	})
}
