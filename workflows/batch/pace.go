package batch

import (
	"time"
)

// pace is how many files may be under way at once. It grows while all goes well. It halves when the service asks to slow
// down. Of a service that is in trouble and asks for nothing (503 without Retry-After) it finds out whether narrowing
// helps: where the service is too small for the pace, half the pace has files rejected less, or go through faster; where it
// fails at random, neither, and the pace goes back to where it was.
type pace struct {
	Size       float64   `json:"size"`
	Limit      int       `json:"limit"`
	Rejected   int       `json:"refused,omitempty"` // requests, all in all
	IgnoreNext int       `json:"deaf,omitempty"`    // files to end that began before the last change
	Round      paceRound `json:"round,omitzero"`
	Wide       paceCost  `json:"wide,omitzero"`      // before the pace was narrowed to see whether that helps; nothing where it was not
	Usual      float64   `json:"usual,omitempty"`    // rejections a file that come at any pace
	Narrowed   bool      `json:"narrowed,omitempty"` // narrowing was asked for or has helped: it grows with care
}

// paceRound is the files that have ended since the pace was looked at.
type paceRound struct {
	Files    int       `json:"files,omitempty"`
	Rejected int       `json:"refused,omitempty"`
	Seconds  float64   `json:"seconds,omitempty"` // that files have spent under way, all of them together
	Last     time.Time `json:"last,omitzero"`     // when the last of them ended
}

// paceCost is what a file costs at a pace.
type paceCost struct {
	Size     float64 `json:"size,omitempty"` // the pace
	Rejected float64 `json:"refused,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"` // under way
}

const (
	// paceFirst is where a pace begins: the service may be weaker than the bound allows.
	paceFirst = 8
	// paceRoundFiles is how many files show how often a pace is rejected.
	paceRoundFiles = 20
	// What half the pace leaves, where that helps: of rejections near the service's capacity, less than half; far above it, half
	// of the time that files take. Random rejections leave both as they are; the shares lie between, for what chance does.
	paceFewer  = 0.5
	paceFaster = 0.7
	// paceUsual is how many times the usual rejections are still usual.
	paceUsual = 2
)

func newPace(limit int) pace {
	return pace{Size: float64(min(limit, paceFirst)), Limit: limit}
}

func (p *pace) window() int {
	if p.Limit == 0 { // of a shard that is to begin nothing
		return 0
	}
	return max(1, min(int(p.Size), p.Limit))
}

// outcome is what a file that has ended shows about the pace.
type outcome struct {
	at       time.Time
	rejected int // requests
	slowDown int // those of them that asked to slow down
	underWay int // other files that have not ended
}

// observe learns from a file that has ended.
func (p *pace) observe(o outcome) {
	p.Rejected += o.rejected
	if p.IgnoreNext > 0 {
		p.IgnoreNext--
		p.Round.Last = o.at
		return
	}
	if o.slowDown > 0 {
		p.Wide, p.Narrowed = paceCost{}, true
		p.change(p.Size/2, o.underWay)
		return
	}
	p.Round.count(o)
	if p.Wide.Size == 0 && o.rejected == 0 {
		p.grow()
	}
	if p.Round.Files >= max(paceRoundFiles, p.window()) {
		p.judge(o.underWay)
	}
}

func (r *paceRound) count(o outcome) {
	if !r.Last.IsZero() {
		r.Seconds += o.at.Sub(r.Last).Seconds() * float64(o.underWay+1)
	}
	r.Files++
	r.Rejected += o.rejected
	r.Last = o.at
}

// judge ends a round.
func (p *pace) judge(underWay int) {
	files := float64(p.Round.Files)
	wide, now := p.Wide, paceCost{Size: p.Size, Rejected: float64(p.Round.Rejected) / files, Seconds: p.Round.Seconds / files}
	p.Round, p.Wide = paceRound{Last: p.Round.Last}, paceCost{}
	if wide.Size > 0 {
		p.Narrowed = now.Rejected < paceFewer*wide.Rejected || now.Seconds < paceFaster*wide.Seconds
	}
	switch {
	case wide.Size > 0 && !p.Narrowed:
		p.Usual = max(now.Rejected, wide.Rejected)
		p.change(wide.Size, underWay)
	case now.Rejected > paceUsual*p.Usual && p.Size > 1:
		p.Wide = now
		p.change(p.Size/2, underWay)
	case now.Rejected == 0:
		p.Usual = 0
	}
}

// change sets another pace. Files that began before show nothing about it.
func (p *pace) change(size float64, underWay int) {
	p.Size = max(1, min(size, float64(p.Limit)))
	p.IgnoreNext, p.Round = underWay, paceRound{Last: p.Round.Last}
}

func (p *pace) grow() {
	step := 1.0
	if p.Narrowed {
		step /= p.Size
	}
	p.Size = min(p.Size+step, float64(p.Limit))
}

// bound sets the limit; a higher one is tried at once.
func (p *pace) bound(limit int) {
	if p.window() == p.Limit {
		p.Size = float64(limit)
	}
	p.Limit = limit
	p.Size = min(p.Size, float64(limit))
}

// observeVersion0 is observe for batches that began before version 1 of pace-by-effect: each rejection counts alike.
func (p *pace) observeVersion0(o outcome) {
	p.Rejected += o.rejected
	switch {
	case p.IgnoreNext > 0:
		p.IgnoreNext--
	case o.rejected > 0:
		p.Size = max(1, p.Size/2)
		p.IgnoreNext = o.underWay
	case p.Rejected == 0:
		p.Size = min(p.Size+1, float64(p.Limit))
	default:
		p.Size = min(p.Size+1/p.Size, float64(p.Limit))
	}
}
