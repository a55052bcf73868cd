package bundle

// DiskError lets tests see what becomes of the errors of a real full disk.
var DiskError = diskError
