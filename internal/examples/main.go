// Command examples writes those files of examples/ that no editor writes: run it in the project's root.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := "examples"
	for name, write := range map[string]func(path string) error{
		"budget.xlsx": writeBudget, "photo.png": writePhoto, "brochure.pdf": writeBrochure, "letter.docx": writeLetter,
	} {
		if err := write(filepath.Join(dir, name)); err != nil {
			fmt.Fprintf(os.Stderr, "examples: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}
