package batch

import (
	"time"
)

// pace is how many files may be under way at once. It grows while all goes well. It halves when the service asks to slow
// down. Of a service that is in trouble and asks for nothing (503 without Retry-After) it finds out whether narrowing
// helps: where the service is too small for the pace, half the pace has files refused less, or go through faster; where it
// fails at random, neither, and the pace goes back to where it was.
type pace struct {
	Size    float64 `json:"size"`
	Limit   int     `json:"limit"`
	Refused int     `json:"refused,omitempty"` // requests, all in all
	Deaf    int     `json:"deaf,omitempty"`    // landings to come of what took off before the last change

	Round    paceRound `json:"round,omitzero"`
	Wide     paceCost  `json:"wide,omitzero"`      // before the pace was narrowed to see whether that helps; nothing where it was not
	Usual    float64   `json:"usual,omitempty"`    // refusals a file that come at any pace
	Narrowed bool      `json:"narrowed,omitempty"` // narrowing was asked for or has helped: it grows with care
}

// paceRound is what landed since the pace was looked at.
type paceRound struct {
	Files   int       `json:"files,omitempty"`
	Refused int       `json:"refused,omitempty"`
	Seconds float64   `json:"seconds,omitempty"` // that files have spent under way, all of them together
	Last    time.Time `json:"last,omitzero"`     // landing
}

// paceCost is what a file costs at a pace.
type paceCost struct {
	Size    float64 `json:"size,omitempty"` // the pace
	Refused float64 `json:"refused,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // under way
}

const (
	// paceFirst is where a pace begins: the service may be weaker than the bound allows.
	paceFirst = 8
	// paceRoundFiles is how many files tell how often a pace is refused.
	paceRoundFiles = 20
	// What half the pace leaves, where that helps: of refusals near the service's capacity, less than half; far above it, half
	// of the time that files take. Random refusals leave both as they are; the shares lie between, for what chance does.
	paceFewer  = 0.5
	paceFaster = 0.7
	// paceUsual is how many times the usual refusals are still usual.
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

// landing is a file that has landed.
type landing struct {
	at      time.Time
	refused int // requests
	asked   int // those of them that asked to slow down
	flying  int // other files that are still under way
}

// heed learns from a landing.
func (p *pace) heed(l landing) {
	p.Refused += l.refused
	if p.Deaf > 0 {
		p.Deaf--
		p.Round.Last = l.at
		return
	}
	if l.asked > 0 {
		p.Wide, p.Narrowed = paceCost{}, true
		p.change(p.Size/2, l.flying)
		return
	}
	p.Round.count(l)
	if p.Wide.Size == 0 && l.refused == 0 {
		p.grow()
	}
	if p.Round.Files >= max(paceRoundFiles, p.window()) {
		p.judge(l.flying)
	}
}

func (r *paceRound) count(l landing) {
	if !r.Last.IsZero() {
		r.Seconds += l.at.Sub(r.Last).Seconds() * float64(l.flying+1)
	}
	r.Files, r.Refused, r.Last = r.Files+1, r.Refused+l.refused, l.at
}

// judge ends a round.
func (p *pace) judge(flying int) {
	files := float64(p.Round.Files)
	wide, now := p.Wide, paceCost{Size: p.Size, Refused: float64(p.Round.Refused) / files, Seconds: p.Round.Seconds / files}
	p.Round, p.Wide = paceRound{Last: p.Round.Last}, paceCost{}
	if wide.Size > 0 {
		p.Narrowed = now.Refused < paceFewer*wide.Refused || now.Seconds < paceFaster*wide.Seconds
	}
	switch {
	case wide.Size > 0 && !p.Narrowed:
		p.Usual = max(now.Refused, wide.Refused)
		p.change(wide.Size, flying)
	case now.Refused > paceUsual*p.Usual && p.Size > 1:
		p.Wide = now
		p.change(p.Size/2, flying)
	case now.Refused == 0:
		p.Usual = 0
	}
}

// change sets another pace. Files that took off before tell nothing of it.
func (p *pace) change(size float64, flying int) {
	p.Size = max(1, min(size, float64(p.Limit)))
	p.Deaf, p.Round = flying, paceRound{Last: p.Round.Last}
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

// heedAsBefore is heed for batches that began before pace found out what helps: each refusal counts alike.
func (p *pace) heedAsBefore(l landing) {
	p.Refused += l.refused
	switch {
	case p.Deaf > 0:
		p.Deaf--
	case l.refused > 0:
		p.Size = max(1, p.Size/2)
		p.Deaf = l.flying
	case p.Refused == 0:
		p.Size = min(p.Size+1, float64(p.Limit))
	default:
		p.Size = min(p.Size+1/p.Size, float64(p.Limit))
	}
}
