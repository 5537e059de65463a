//! The dashboard and the SDK are embedded from their build folders. An empty folder is a valid build (the
//! server then says how to build the dashboard), so that `cargo check` works before Node ever ran.

fn main() {
    for folder in ["web/dist", "sdk-js/dist"] {
        if let Err(error) = std::fs::create_dir_all(folder) {
            println!("cargo::warning=cannot create {folder}: {error}");
        }
        println!("cargo::rerun-if-changed={folder}");
    }
}
