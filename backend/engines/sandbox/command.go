package sandbox

// Command is one call of a program.
type Command struct {
	Name string
	Args []string
	// Title is what people call the program, for errors; Name where it is empty.
	Title string
	// Home is a private folder of the call: its HOME, where it works, and for its temporary files. The caller
	// removes it.
	Home string
	// Env stands beside PATH, the locale and HOME; nothing else of our environment reaches the program.
	Env []string
	// Folders are further ones that the program writes to; they count with Home.
	Folders []string
	// Reads and Writes are further files and folders that the program may read, or also write to; they do not count. Where
	// the system allows it, a program sees nothing of it but these, Home, Folders, itself, libraries, fonts and settings.
	Reads, Writes []string
	// Programs are further ones that the program starts, by path or by name.
	Programs []string
	Limits   Limits
}
