package text

import "slices"

// mapRuns copies blocks with every run changed, or left out.
func mapRuns(blocks []block, change func(run) (run, bool)) []block {
	runs := func(in []run) []run {
		out := make([]run, 0, len(in))
		for _, r := range in {
			if changed, keep := change(r); keep {
				out = append(out, changed)
			}
		}
		return out
	}
	out := make([]block, len(blocks))
	for i, b := range blocks {
		switch b := b.(type) {
		case paragraph:
			out[i] = paragraph{runs: runs(b.runs)}
		case heading:
			out[i] = heading{level: b.level, runs: runs(b.runs)}
		case quote:
			out[i] = quote{blocks: mapRuns(b.blocks, change)}
		case list:
			items := slices.Clone(b.items)
			for n := range items {
				items[n].blocks = mapRuns(items[n].blocks, change)
			}
			b.items = items
			out[i] = b
		case table:
			rows := make([]tableRow, len(b.rows))
			for n, row := range b.rows {
				rows[n] = tableRow{header: row.header, cells: slices.Clone(row.cells)}
				for c := range rows[n].cells {
					rows[n].cells[c].blocks = mapRuns(rows[n].cells[c].blocks, change)
				}
			}
			out[i] = table{rows: rows}
		default:
			out[i] = b
		}
	}
	return out
}
