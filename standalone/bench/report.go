package bench

import (
	"runtime"
	"slices"
	"time"
)

// Report is everything that was measured.
type Report struct {
	StartedAt time.Time    `json:"started_at"`
	Machine   Machine      `json:"machine"`
	Rounds    int          `json:"rounds"`
	Kinds     []KindReport `json:"kinds"`
}

// Machine is where it was measured.
type Machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
}

// KindReport is what was measured of one kind of conversion.
type KindReport struct {
	Name        string       `json:"name"` // one of Kinds
	Title       string       `json:"title"`
	Files       int          `json:"files"`       // a turn
	Concurrency int          `json:"concurrency"` // files at once
	InputBytes  int64        `json:"input_bytes"` // of a file
	Contestants []Contestant `json:"contestants,omitempty"`
	Targets     []Target     `json:"targets,omitempty"`
	Skipped     string       `json:"skipped,omitempty"` // why it was not measured
}

// Contestant is one way to convert the files.
type Contestant struct {
	Name   string    `json:"name"`
	Median Figures   `json:"median"` // of each figure by itself
	Turns  []Figures `json:"turns"`  // one a round
}

// Figures are of one turn, those a file are averages.
type Figures struct {
	Seconds        float64 `json:"seconds"`
	FilesPerSecond float64 `json:"files_per_second"`
	Activities     float64 `json:"activities_per_file"`
	Events         float64 `json:"events_per_file"`
	HistoryBytes   float64 `json:"history_bytes_per_file"`
	Requests       float64 `json:"api_requests_per_file"`
	Transfers      float64 `json:"storage_transfers_per_file"`
	CPU            float64 `json:"cpu_seconds_per_file"`         // of worker, Temporal and what drives them
	ServiceCPU     float64 `json:"service_cpu_seconds_per_file"` // of the conversion service
	Memory         float64 `json:"memory_bytes,omitempty"`       // most resident of worker and Temporal; absent where not measured
}

func (f *Figures) all() []*float64 {
	return []*float64{
		&f.Seconds, &f.FilesPerSecond, &f.Activities, &f.Events, &f.HistoryBytes, &f.Requests, &f.Transfers, &f.CPU, &f.ServiceCPU, &f.Memory,
	}
}

// Target is a bound that the issue of this benchmark sets, and where we stand.
type Target struct {
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Bound  float64 `json:"bound"`
	AtMost bool    `json:"at_most"` // otherwise at least
	Met    bool    `json:"met"`
}

func newReport(cfg Config) *Report {
	return &Report{
		StartedAt: time.Now().UTC().Truncate(time.Second), Rounds: cfg.Rounds,
		Machine: Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()},
	}
}

func figures(files int, u use, h histories, s ServiceUse) Figures {
	n := float64(files)
	return Figures{
		Seconds: u.wall.Seconds(), FilesPerSecond: n / u.wall.Seconds(),
		Activities: float64(h.activities) / n, Events: float64(h.events) / n, HistoryBytes: float64(h.bytes) / n,
		Requests: float64(s.Requests) / n, Transfers: float64(s.Transfers) / n,
		CPU: u.cpu / n, ServiceCPU: s.CPU / n, Memory: float64(u.memory),
	}
}

// medians is the median of each figure by itself.
func medians(turns []Figures) Figures {
	var out Figures
	for i, into := range out.all() {
		values := make([]float64, len(turns))
		for j := range turns {
			values[j] = *turns[j].all()[i]
		}
		*into = median(values)
	}
	return out
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}

// target is a bound on ConvertBatch: on its speed over another contestant's, or on one of its figures.
type target struct {
	over   string // a contestant
	what   string
	value  func(Figures) float64
	bound  float64
	atMost bool
}

func (k kind) judge(contestants []Contestant) []Target {
	of := map[string]Figures{}
	for _, c := range contestants {
		of[c.Name] = c.Median
	}
	ours := of[nameOurs]
	judged := make([]Target, len(k.targets))
	for i, t := range k.targets {
		j := Target{What: t.what, Bound: t.bound, AtMost: t.atMost}
		if t.over != "" {
			j.What, j.Value = "speed over "+t.over, ours.FilesPerSecond/of[t.over].FilesPerSecond
		} else {
			j.Value = t.value(ours)
		}
		j.Met = j.Value >= j.Bound
		if j.AtMost {
			j.Met = j.Value <= j.Bound
		}
		judged[i] = j
	}
	return judged
}
