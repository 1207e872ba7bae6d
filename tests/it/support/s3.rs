//! An S3 server on loopback over a folder.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use std::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) struct S3Server {
    url: String,
    _folder: tempfile::TempDir,
    /// Ends the server when it is dropped.
    _runtime: Runtime,
}

impl S3Server {
    /// With one bucket, `bucket`.
    pub(crate) fn start() -> S3Server {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bucket")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = {
            let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
            builder.set_auth(SimpleAuth::from_single("key", "secret"));
            builder.build()
        };
        let runtime = Runtime::new().unwrap();
        // The runtime owns its tasks: they end with it, and so with the server.
        let tasks = runtime.handle().clone();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tasks.spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    // A client that hangs up is no failure of the server.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        S3Server { url, _folder: folder, _runtime: runtime }
    }

    /// What the binary needs to reach it.
    pub(crate) fn options(&self) -> Vec<String> {
        [
            format!("aws_endpoint={}", self.url),
            "aws_access_key_id=key".to_string(),
            "aws_secret_access_key=secret".to_string(),
            "aws_region=us-east-1".to_string(),
            "aws_allow_http=true".to_string(),
        ]
        .into_iter()
        .flat_map(|option| ["--storage-option".to_string(), option])
        .collect()
    }
}
